"""docker-compose.yml says nothing that another file owns otherwise, and confines every container alike."""

import ast
import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from aguante.runtimes.native.postgres_server import _SERVER_OPTIONS
from aguante.runtimes.native.prometheus_server import PrometheusFiles, arguments
from aguante.runtimes.servers import SERVERS
from aguante.testbed.testbed_file import load_testbed
from aguante.testbed.testbed_spec import PumbaSpec
from offline.standins import LEFT_OUT, STAND_INS
from offline.wanted import PYTHON, bases_of, read_wanted

ROOT = Path(__file__).parents[2]
SPEC = load_testbed(ROOT / "testbed.yaml")
STACK: dict[str, Any] = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
OWN = [service.name for service in SPEC.services]
HUBS = {"toxiproxy", "prometheus"}
"""What shares a service's network with it."""
MEMORY_MAX_BYTES = 1_200_000_000
TO_THE_END = {"credentials", "load-stock", "chaos"}
"""They do one thing and end: nobody asks after their health."""
UNITS = {"m": 2**20, "g": 2**30}


def memory_of(name: str) -> int:
    limit = str(SERVICES[name]["mem_limit"])
    return int(limit[:-1]) * UNITS[limit[-1]]


def variables_of(name: str) -> dict[str, str]:
    return {key: str(value) for key, value in SERVICES[name].get("environment", {}).items()}


def publications() -> list[tuple[str, str, str, str]]:
    """(service, host address, variable:-default, port inside) of every published port."""
    form = re.compile(r"(\S+):\$\{(\w+):-(\d+)\}:(\d+)")
    found = []
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            match = form.fullmatch(port)
            assert match, f"{name}: {port} is not `127.0.0.1:${{VARIABLE:-default}}:port`"
            found.append((name, match[1], f"{match[2]}:{match[3]}", match[4]))
    return found


def test_prometheus_is_started_as_natively() -> None:
    """What a run, an exemplar and a query rest on is the same; where it keeps things, and how much, is its own."""
    places = PrometheusFiles(Path("/c.yml"), Path("/samples"), Path("/log"))
    natively, there = set(arguments(places, 9090)), set(SERVICES["prometheus"]["command"])
    own = ("--config.file", "--storage.", "--web.listen-address")
    assert {flag for flag in there ^ natively if not flag.startswith(own)} == set()
    assert len([flag for flag in there if not flag.startswith(own)]) == 4


def test_the_proxies_of_the_containers_are_made_from_the_links() -> None:
    """proxies/toxiproxy.json is what `python proxies/make.py` writes."""
    render = runpy.run_path(str(ROOT / "proxies" / "make.py"))["render"]
    assert (ROOT / "proxies" / "toxiproxy.json").read_text() == render(SPEC)


@pytest.mark.parametrize("service", SPEC.services, ids=lambda service: service.name)
def test_a_service_is_given_its_own_links_and_no_other_address(service: Any) -> None:
    """Each of its links by the proxy's port; no variable names a peer, a database or another port."""
    own = {
        "LINK_" + link.name.upper().replace("-", "_"): f"toxiproxy:{link.port}"
        for link in SPEC.links
        if link.caller == service.name
    }
    given = {k: v for k, v in variables_of(service.name).items() if k.startswith("LINK_")}
    assert set(given) == set(own)
    for variable, address in own.items():
        assert f"//{address}" in given[variable] or f"@{address}/" in given[variable], variable
    spans = SPEC.telemetry_link
    assert spans
    collector = variables_of(service.name)["OTEL_EXPORTER_OTLP_ENDPOINT"]
    assert collector == f"http://toxiproxy:{spans.port}"
    others = "|".join(n for n in [*OWN, "postgres", "telemetry"] if n != service.name)
    for value in variables_of(service.name).values():
        assert not re.search(rf"(//|@)({others})\b", value), value
    assert variables_of(service.name)["PORT"] == str(service.port)
    assert service.name in SERVICES[service.name]["command"]


def test_what_the_runner_needs_is_published_on_loopback_alone() -> None:
    """Every service at its own port, the gateway through Toxiproxy; each where a variable of its own says."""
    found = publications()
    assert {address for _, address, _, _ in found} == {"127.0.0.1"}
    variables = [variable for _, _, variable, _ in found]
    assert len({each.split(":")[0] for each in variables}) == len(variables)
    assert len({each.split(":")[1] for each in variables}) == len(variables)
    entry = next(link.port for link in SPEC.links if link.name == SPEC.entry)
    inside = {(name, int(port)) for name, _, _, port in found}
    assert inside >= {("toxiproxy", entry), ("toxiproxy", 8474), ("postgres", 5432)}
    assert inside >= {(service.name, service.port) for service in SPEC.services}


def test_a_service_shares_its_network_with_toxiproxy_and_prometheus_alone() -> None:
    """So no address of another service, nor of PostgreSQL, leads anywhere."""
    members = {
        network: {name for name, each in SERVICES.items() if network in each.get("networks", [])}
        for network in STACK["networks"]
    }
    for name in OWN:
        assert SERVICES[name]["networks"] == [name]
        allowed = HUBS | ({"load-stock"} if name == "inventory" else set())
        assert members[name] - {name} <= allowed, name
    assert members["postgres"] == {"postgres", "toxiproxy"}
    assert members["telemetry"] == {"telemetry", "toxiproxy"}
    for name, service in SERVICES.items():
        # the runner is where a person's own would be, and listens nowhere
        alone = {"credentials": "none", "chaos": "host"}.get(name)
        assert ("networks" in service) == (alone is None), name
        assert service.get("network_mode") == alone


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_is_confined(name: str) -> None:
    """No root, no capability, nothing to write to, a bound on everything, and dead when it was killed."""
    service = SERVICES[name]
    assert service["restart"] == "no"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert str(service["user"]).split(":")[0] not in ("0", "root", "")
    assert service["pids_limit"] > 0
    assert service["cpus"] > 0
    assert memory_of(name) > 0
    assert ("healthcheck" in service) == (name not in TO_THE_END)


def test_a_dial_into_the_void_does_not_hold_a_link_for_minutes() -> None:
    """Toxiproxy dials one callee at a time: what the kernel does not give up blocks every caller of the link."""
    assert SERVICES["toxiproxy"]["sysctls"] == {"net.ipv4.tcp_syn_retries": 1}


def test_the_stack_needs_less_than_1_2_gb() -> None:
    """By the limits of all that `docker compose up` leaves running; docs/containers.md repeats the sum."""
    running = [n for n, each in SERVICES.items() if "profiles" not in each and n not in TO_THE_END]
    total = sum(memory_of(name) for name in running)
    assert total <= MEMORY_MAX_BYTES
    assert f"{total // 2**20} MiB" in (ROOT / "docs" / "containers.md").read_text()


def test_only_the_runner_is_given_the_engine() -> None:
    """Its socket is all power over the machine."""
    given = [n for n, each in SERVICES.items() if "docker.sock" in str(each.get("volumes"))]
    assert given == ["chaos"]


def test_a_container_waits_for_health_of_what_it_needs() -> None:
    """Never merely for a start; what ends is waited for to the end."""
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            ending = needed in TO_THE_END
            expected = "service_completed_successfully" if ending else "service_healthy"
            assert how["condition"] == expected, f"{name} -> {needed}"


def test_grafana_may_take_its_time_at_its_first_start() -> None:
    """It makes its database then; the others' limit, tries times interval, would end the whole `up --wait`."""
    assert SERVICES["grafana"]["healthcheck"]["start_period"] == "60s"


def test_no_password_is_in_the_file() -> None:
    """Passwords are files in volumes, made by the stack itself."""
    for name in SERVICES:
        for variable, value in variables_of(name).items():
            secret = re.search(r"PASSW|SECRET|TOKEN", variable)
            assert not secret or variable.endswith("_FILE"), variable
            assert not re.search(r"//[^/@\s]*:[^/@\s]*@", value), f"{name}: {variable}"


def test_images_are_pinned_and_are_the_versions_that_run_natively() -> None:
    """The same experiment meets the same Toxiproxy and PostgreSQL on both runtimes."""
    wanted = read_wanted(environ={})
    for tag in wanted.public.values():
        assert re.search(r":v?\d", tag), tag
    assert wanted.public["toxiproxy"].endswith(f":{SERVERS['toxiproxy'].version}")
    assert wanted.public["prometheus"].endswith(f":v{SERVERS['prometheus'].version}")
    assert wanted.public["postgres"] == "postgres:18"
    assert wanted.public[PYTHON] == "python:3.11-slim-bookworm"


def test_the_runners_image_has_the_pumba_that_faults_take_by_default() -> None:
    """One version, whether Pumba runs beside the runner or as a container."""
    taken = bases_of(ROOT / "docker" / "chaos" / "Dockerfile")
    assert SPEC.pumba.image in taken
    assert PumbaSpec().image in taken


def test_every_public_image_has_a_stand_in_or_a_reason() -> None:
    """`make images-offline` leaves nothing out without a word."""
    assert {*read_wanted(environ={}).public, "chaos"} == {PYTHON, *STAND_INS, *LEFT_OUT}


def test_postgres_has_the_settings_of_the_native_runtime() -> None:
    """Where it listens aside: another durability would be another system under test."""
    command = SERVICES["postgres"]["command"]
    here = set(re.findall(r"-c (\S+)", command))
    native = {each for each in _SERVER_OPTIONS if not each.startswith(("listen_", "unix_socket"))}
    assert {each for each in here if not each.startswith("max_connections")} == native


def test_each_database_of_the_testbed_is_made() -> None:
    """By the script that PostgreSQL plays, with the passwords that the first container makes."""
    names = [database.name for database in SPEC.databases]
    script = (ROOT / "docker" / "postgres" / "10-databases.sh").read_text()
    assert f"for name in {' '.join(names)}; do" in script
    assert SERVICES["credentials"]["command"] == names


def imported_by_the_services() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "services").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module or "")
    return found


def test_the_services_image_holds_what_they_import() -> None:
    """Its requirements are their imports, at the versions of the project's lock file."""
    folder = ROOT / "docker" / "services"
    asked = [
        line for line in (folder / "requirements.in").read_text().splitlines() if line[0] != "#"
    ]
    imports = imported_by_the_services()
    packages = {
        "opentelemetry-sdk": "opentelemetry.sdk",
        "opentelemetry-exporter-otlp-proto-http": "opentelemetry.exporter",
    }
    for name in asked:
        module = packages.get(name, name.replace("-", "_"))
        assert any(each == module or each.startswith(module + ".") for each in imports), name
    tops = {each.split(".")[0] for each in imports}
    for top in (
        "aiohttp",
        "asyncpg",
        "msgspec",
        "multidict",
        "pybreaker",
        "tenacity",
        "uvloop",
        "yarl",
    ):
        assert (top in tops) == (top in asked)


@pytest.mark.parametrize("image", ["services", "runner"])
def test_an_image_is_made_of_the_locked_versions(image: str) -> None:
    """What runs in containers is what the tests ran."""
    pinned = pins(ROOT / "requirements.txt")
    for name, version in pins(ROOT / "docker" / image / "requirements.txt").items():
        assert pinned[name] == version, name


def test_the_runners_image_holds_what_the_project_needs() -> None:
    """`make lock` writes its requirements too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[<>=]", each)[0].replace(".", "-") for each in project["dependencies"]}
    assert needed <= set(pins(ROOT / "docker" / "runner" / "requirements.txt"))


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", path.read_text(), re.MULTILINE))
