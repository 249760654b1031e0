"""docker-compose.yml agrees with the files that own its facts, and restricts every container in the same way."""

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
    """Return (service, host address, variable:-default, port in the container) of every published port."""
    form = re.compile(r"(\S+):\$\{(\w+):-(\d+)\}:(\d+)")
    found = []
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            match = form.fullmatch(port)
            assert match, f"{name}: {port} is not `127.0.0.1:${{VARIABLE:-default}}:port`"
            found.append((name, match[1], f"{match[2]}:{match[3]}", match[4]))
    return found


def test_prometheus_has_the_flags_of_the_native_one() -> None:
    """Its flags equal the native ones, except for paths and the size of the storage."""
    places = PrometheusFiles(Path("/c.yml"), Path("/samples"), Path("/log"))
    natively, there = set(arguments(places, 9090)), set(SERVICES["prometheus"]["command"])
    own = ("--config.file", "--storage.", "--web.listen-address")
    assert {flag for flag in there ^ natively if not flag.startswith(own)} == set()
    assert len([flag for flag in there if not flag.startswith(own)]) == 4


def test_the_proxies_of_the_containers_are_generated_from_the_links() -> None:
    """proxies/toxiproxy.json equals the output of `python proxies/make.py`."""
    render = runpy.run_path(str(ROOT / "proxies" / "make.py"))["render"]
    assert (ROOT / "proxies" / "toxiproxy.json").read_text() == render(SPEC)


@pytest.mark.parametrize("service", SPEC.services, ids=lambda service: service.name)
def test_a_service_receives_its_own_links_and_no_other_address(service: Any) -> None:
    """Variables contain the proxy's port of each of its links, and no address of another service or database."""
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
    """Every service publishes its port, the gateway through Toxiproxy; a variable sets each published port."""
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
    """It therefore cannot reach another service or PostgreSQL directly."""
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
def test_a_container_is_restricted(name: str) -> None:
    """It has no root user, no capability, no writable file system, limits, and no restart policy."""
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


def test_a_failing_connect_does_not_block_a_link_for_minutes() -> None:
    """Toxiproxy dials a link's callee one call at a time, so a long connect attempt blocks every caller."""
    assert SERVICES["toxiproxy"]["sysctls"] == {"net.ipv4.tcp_syn_retries": 1}


def test_the_stack_needs_less_than_1_2_gb() -> None:
    """The sum of the memory limits is below 1.2 GB and equals the one in docs/containers.md."""
    running = [n for n, each in SERVICES.items() if "profiles" not in each and n not in TO_THE_END]
    total = sum(memory_of(name) for name in running)
    assert total <= MEMORY_MAX_BYTES
    assert f"{total // 2**20} MiB" in (ROOT / "docs" / "containers.md").read_text()


def test_only_the_runner_has_access_to_docker() -> None:
    """Access to Docker's socket means full control of the machine."""
    given = [n for n, each in SERVICES.items() if "docker.sock" in str(each.get("volumes"))]
    assert given == ["chaos"]


def test_a_container_waits_for_health_of_what_it_needs() -> None:
    """Dependencies wait for healthy containers, or for containers to end, never only for their start."""
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            ending = needed in TO_THE_END
            expected = "service_completed_successfully" if ending else "service_healthy"
            assert how["condition"] == expected, f"{name} -> {needed}"


def test_grafana_has_a_longer_limit_at_its_first_start() -> None:
    """It creates its database first; with the other containers' limit, `up --wait` would fail."""
    assert SERVICES["grafana"]["healthcheck"]["start_period"] == "60s"


def test_no_password_is_in_the_file() -> None:
    """Passwords are files in volumes, generated by the stack."""
    for name in SERVICES:
        for variable, value in variables_of(name).items():
            secret = re.search(r"PASSW|SECRET|TOKEN", variable)
            assert not secret or variable.endswith("_FILE"), variable
            assert not re.search(r"//[^/@\s]*:[^/@\s]*@", value), f"{name}: {variable}"


def test_images_are_pinned_and_are_the_versions_that_run_natively() -> None:
    """Both runtimes use the same versions of Toxiproxy and PostgreSQL."""
    wanted = read_wanted(environ={})
    for tag in wanted.public.values():
        assert re.search(r":v?\d", tag), tag
    assert wanted.public["toxiproxy"].endswith(f":{SERVERS['toxiproxy'].version}")
    assert wanted.public["prometheus"].endswith(f":v{SERVERS['prometheus'].version}")
    assert wanted.public["postgres"] == "postgres:18"
    assert wanted.public[PYTHON] == "python:3.11-slim-bookworm"


def test_the_runners_image_has_the_pumba_that_faults_take_by_default() -> None:
    """Pumba has one version, as a program and as a container."""
    taken = bases_of(ROOT / "docker" / "chaos" / "Dockerfile")
    assert SPEC.pumba.image in taken
    assert PumbaSpec().image in taken


def test_every_public_image_has_a_stand_in_or_a_reason() -> None:
    """`make images-offline` either builds an image or explains why not."""
    assert {*read_wanted(environ={}).public, "chaos"} == {PYTHON, *STAND_INS, *LEFT_OUT}


def test_postgres_has_the_settings_of_the_native_runtime() -> None:
    """Apart from addresses, the settings are equal; with other durability it would be another system under test."""
    command = SERVICES["postgres"]["command"]
    here = set(re.findall(r"-c (\S+)", command))
    native = {each for each in _SERVER_OPTIONS if not each.startswith(("listen_", "unix_socket"))}
    assert {each for each in here if not each.startswith("max_connections")} == native


def test_each_database_of_the_testbed_is_made() -> None:
    """PostgreSQL's init script creates it, with the passwords that the first container generates."""
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


def test_the_services_image_contains_their_imports() -> None:
    """Its requirements equal the services' imports, in the versions of the project's lock file."""
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
def test_an_image_has_the_locked_versions(image: str) -> None:
    """Containers use the versions that the tests use."""
    pinned = pins(ROOT / "requirements.txt")
    for name, version in pins(ROOT / "docker" / image / "requirements.txt").items():
        assert pinned[name] == version, name


def test_the_runners_image_contains_the_projects_requirements() -> None:
    """`make lock` also writes its requirements."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[<>=]", each)[0].replace(".", "-") for each in project["dependencies"]}
    assert needed <= set(pins(ROOT / "docker" / "runner" / "requirements.txt"))


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", path.read_text(), re.MULTILINE))
