"""The real `docker compose up --wait`: healthy, restricted, no path around Toxiproxy, monitored."""

import json
import os
import signal
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import requests
from ruamel.yaml import YAML
from stack_harness import COMPOSE, ROOT, SERVICES, Stack, service_of
from waiting import wait_until

pytestmark = [
    pytest.mark.alone,
    pytest.mark.container,
    pytest.mark.long("containers are started, from images that must be built first"),
]

MEMORY_MAX_BYTES = 1_200_000_000
SEEN_LIMIT_S = 15.0
ENDED = {"credentials"}
LINKS = {
    "gateway": (6001, 6002),
    "reservations": (6003, 6004, 6005, 6101),
    "inventory": (6102,),
    "payments": (6103,),
    "notifications": (),
}
AROUND = {"postgres": 5432, "telemetry": 4318, "jaeger": 16686, "grafana": 3000}
"""What no service has a way to either."""
TRY_ALL = """
import asyncio, json, socket, sys
from concurrent.futures import ThreadPoolExecutor

def addresses(name):
    try:
        return sorted({each[4][0] for each in socket.getaddrinfo(name, None)})
    except OSError:
        return []

async def reached(address, port):
    try:
        async with asyncio.timeout(3):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True

async def main(targets):
    # names first: a slow answer must not look like an address that leads nowhere
    names = sorted({name for name, _ in targets})
    with ThreadPoolExecutor(16) as pool:
        found = dict(zip(names, pool.map(addresses, names)))
    tries = [(target, each) for target in targets for each in found[target[0]]]
    answers = await asyncio.gather(*(reached(each, target[1]) for target, each in tries))
    print(json.dumps([target for (target, _), yes in zip(tries, answers) if yes]))

asyncio.run(main(json.loads(sys.argv[1])))
"""


def ask(url: str, body: object = None, method: str = "GET") -> tuple[int, Any]:
    """Send a request and return status and JSON, to which the response's trace id is added."""
    answer = requests.request(method, url, json=body, timeout=10)
    return answer.status_code, {**answer.json(), "trace_id": answer.headers.get("X-Trace-Id")}


@cache
def shop(stack: Stack) -> str:
    return f"http://{stack.address('toxiproxy', 6000)}"


def reserve(stack: Stack, event: str, user: str = "ana") -> tuple[int, Any]:
    return ask(
        f"{shop(stack)}/reserve", {"user_id": user, "event_id": event, "quantity": 1}, "POST"
    )


@pytest.fixture(scope="module")
def event(stack: Stack) -> str:
    status, _ = ask(f"http://{stack.address('inventory', 5002)}/events/e", {"capacity": 500}, "PUT")
    assert status == 200
    return "e"


def reached_from(stack: Stack, source: str, targets: list[tuple[str, int]]) -> set[tuple[str, int]]:
    done = stack.inside(source, "python", "-c", TRY_ALL, json.dumps(targets))
    return {(host, port) for host, port in json.loads(done.stdout)}


def test_every_container_is_healthy_and_sells(stack: Stack, event: str) -> None:
    """One command starts a shop that confirms an order, with its dashboards."""
    states = {service_of(each): each["State"] for each in stack.containers()}
    for service, state in states.items():
        if service in ENDED:
            assert (state["Status"], state["ExitCode"]) == ("exited", 0)
        else:
            assert state["Health"]["Status"] == "healthy", service
    default = {name for name, each in COMPOSE["services"].items() if "profiles" not in each}
    assert default - set(states) <= {"grafana"}
    assert not stack.with_grafana or has_every_dashboard(stack)
    status, body = reserve(stack, event)
    assert (status, body["state"], body["notification"]) == (200, "CONFIRMED", {"sent": True})


@pytest.mark.parametrize("source", SERVICES)
def test_no_service_reaches_another_but_through_toxiproxy(stack: Stack, source: str) -> None:
    """It can reach its links, but no other service by name, container address or published port."""
    containers, ports = stack.containers(), {**SERVICES, **AROUND, "prometheus": 9090}
    hosts, doors = {"localhost", "host.docker.internal"}, set()
    for each in containers:
        for network in each["NetworkSettings"]["Networks"].values():
            hosts |= {network["Gateway"]} - {""}
        for bound in each["NetworkSettings"]["Ports"].values():
            doors |= {int(door["HostPort"]) for door in bound or []}
    forbidden = [(host, door) for host in hosts for door in doors]
    for each in containers:
        name, networks = service_of(each), each["NetworkSettings"]["Networks"]
        addresses = {net["IPAddress"] for key, net in networks.items() if not key.endswith(source)}
        if name in {*SERVICES, *AROUND} - {source}:
            addresses |= {name, each["Name"].lstrip("/")}
        elif (
            name != "prometheus"
        ):  # which comes to every service for its metrics, and has a name there
            continue
        forbidden += [(address, port) for address in addresses for port in ports.values()]
    allowed = [("toxiproxy", port) for port in LINKS[source]] + [("127.0.0.1", SERVICES[source])]
    assert reached_from(stack, source, [*forbidden, *allowed]) == set(allowed)


def test_the_addresses_of_the_pairs_exist(stack: Stack) -> None:
    """The same names and ports respond where they should; otherwise the test above would prove nothing."""
    for name, port in SERVICES.items():
        stack.inside("prometheus", "wget", "-q", "-O", "/dev/null", f"http://{name}:{port}/healthz")
    for name, path in {"telemetry": "healthz", "jaeger": "api/services"}.items():
        url = f"http://{name}:{AROUND[name]}/{path}"
        stack.inside("prometheus", "wget", "-q", "-O", "/dev/null", url)


def test_a_service_runs_without_privileges(stack: Stack) -> None:
    """It has no root user, no capability, no new privilege, and no writable file outside /tmp."""
    for service in SERVICES:
        status = stack.inside(service, "cat", "/proc/1/status").stdout
        facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert set(facts["Uid"].split()) == {"10001"}
        assert int(facts["CapEff"], 16) == int(facts["CapBnd"], 16) == 0
        assert facts["NoNewPrivs"].strip() == "1"
        refused = stack.inside(service, "sh", "-c", "echo x >/app/x", check=False)
        assert "Read-only file system" in refused.stderr
        tools = stack.inside(
            service, "sh", "-c", "ls /opt/venv/bin; command -v gcc cc make", check=False
        )
        assert "pip" not in tools.stdout
        assert "gcc" not in tools.stdout


def test_no_service_sees_anothers_password(stack: Stack) -> None:
    """Each service has only its own password, in a file; `docker inspect` shows none."""
    passwords = stack.inside("postgres", "sh", "-c", "cat /run/credentials/*").stdout
    assert len(passwords) == 4 * 43
    shown = json.dumps(stack.containers())
    for service in ("reservations", "inventory", "payments"):
        own = stack.inside(service, "sh", "-c", "cat /credentials/*/*").stdout.strip()
        assert own.startswith(f"*:*:{service}:{service}:")
        password = own.rpartition(":")[2]
        assert password in passwords
        assert password not in shown
    assert stack.inside("gateway", "sh", "-c", "cat /credentials/*/*", check=False).stdout == ""


def test_a_killed_service_stays_killed_and_comes_back_when_started(
    stack: Stack, event: str
) -> None:
    """Docker does not restart it; after a start it works with the same passwords."""
    pid = next(c["State"]["Pid"] for c in stack.containers() if service_of(c) == "payments")
    try:
        # not through Docker, which never starts again what it was asked to kill
        os.kill(pid, signal.SIGKILL)
    except PermissionError:
        stack.compose("kill", "payments")
    time.sleep(1.0)  # a restart policy acts within milliseconds
    dead = next(each for each in stack.containers() if service_of(each) == "payments")
    assert dead["State"]["Status"] == "exited"
    status, problem = reserve(stack, event)
    assert (status, problem["link"]) == (503, "reservations-payments")
    stack.up()
    assert wait_until(lambda: reserve(stack, event)[0] == 200, "a sale", SEEN_LIMIT_S)


def test_the_runners_image_holds_the_whole_testbed(stack: Stack) -> None:
    """It contains every file that testbed.yaml and the experiments name."""
    image = COMPOSE["services"]["telemetry"]["image"].rpartition(":-")[2].rstrip("}")
    stack.docker(
        "run", "--rm", "--network", "none", image, "plan", "chaos-experiments/payments-slow.yaml"
    )


@pytest.fixture
def two_of_payments(stack: Stack) -> Iterator[None]:
    """Two replicas of payments; afterwards there is one again."""
    stack.up("--scale", "payments=2", "--no-recreate")
    yield
    stack.up("--scale", "payments=1", "--no-recreate")


@pytest.mark.usefixtures("two_of_payments")
def test_prometheus_sees_every_replica_and_jaeger_every_trace(stack: Stack, event: str) -> None:
    """Prometheus has every target and the request counts, and Jaeger the complete trace of the order."""
    prometheus = f"http://{stack.address('prometheus', 9090)}/api/v1/query"
    query = {"query": "count by (service) (up{job='services'} == 1)"}

    def replicas() -> bool:
        answer = requests.get(prometheus, query, timeout=10).json()
        found = {each["metric"]["service"]: each["value"][1] for each in answer["data"]["result"]}
        return found == {**dict.fromkeys(SERVICES, "1"), "payments": "2"}

    assert wait_until(replicas, "every target up", SEEN_LIMIT_S)
    _, body = reserve(stack, event)
    jaeger = f"http://{stack.address('jaeger', 16686)}/api/traces/{body['trace_id']}"

    def services() -> set[str]:
        status, answer = ask(jaeger)
        traces = answer.get("data") or [] if status == 200 else []
        return {each["serviceName"] for trace in traces for each in trace["processes"].values()}

    assert wait_until(lambda: services() == set(SERVICES), "the whole trace", SEEN_LIMIT_S)


def test_prometheus_evaluates_every_rule_and_has_exemplars(stack: Stack, event: str) -> None:
    """Its rules are those of the repository, none fails, and a latency has the trace id as exemplar."""
    api = f"http://{stack.address('prometheus', 9090)}/api/v1"
    loaded = requests.get(f"{api}/rules", timeout=10).json()["data"]["groups"]
    rules = {rule["name"]: rule["health"] for group in loaded for rule in group["rules"]}
    assert rules.keys() == {
        rule.get("record") or rule["alert"]
        for path in (ROOT / "dashboards" / "prometheus" / "rules").glob("*.yml")
        for group in YAML(typ="safe").load(path)["groups"]
        for rule in group["rules"]
    }
    assert not [name for name, health in rules.items() if health == "err"]
    _, body = reserve(stack, event)
    asked = {
        "query": 'http_server_request_duration_seconds_bucket{service="gateway"}',
        "start": str(time.time() - 60),
    }

    def traced() -> bool:
        window = {**asked, "end": str(time.time())}
        found = requests.get(f"{api}/query_exemplars", window, timeout=10).json()["data"]
        kept = {one["labels"]["trace_id"] for series in found for one in series["exemplars"]}
        return body["trace_id"] in kept

    assert wait_until(traced, "the order's exemplar", SEEN_LIMIT_S)


def has_every_dashboard(stack: Stack) -> bool:
    """Whether Grafana has every dashboard under the uid that links use."""
    search = f"http://{stack.address('grafana', 3000)}/api/search"
    boards = {path.stem for path in (ROOT / "dashboards/grafana/dashboards").glob("*.json")}

    def provisioned() -> bool:
        found = requests.get(search, {"tag": "aguante"}, timeout=10).json()
        return {each["uid"] for each in found} == {f"aguante-{name}" for name in boards}

    return wait_until(provisioned, "every dashboard", SEEN_LIMIT_S)


def test_the_stack_stays_within_its_memory(stack: Stack, event: str) -> None:
    """After some orders, all containers together use less than 1.2 GB, and none was killed for lack of memory."""
    for number in range(60):
        reserve(stack, event, f"user-{number}")
    names = [each["Name"].lstrip("/") for each in stack.containers() if each["State"]["Running"]]
    form = "{{.MemUsage}}"
    lines = stack.docker("stats", "--no-stream", "--format", form, *names).stdout.splitlines()
    used = sum(in_bytes(line.split(" / ")[0]) for line in lines)
    print(f"memory in use: {used / 2**20:.0f} MiB of {len(lines)} containers")
    assert len(lines) >= 10
    assert used < MEMORY_MAX_BYTES
    assert not [each["Name"] for each in stack.containers() if each["State"]["OOMKilled"]]


def in_bytes(text: str) -> float:
    """``39.4MiB``."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10), ("B", 1)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * size
    raise ValueError(text)
