"""Pumba under load on a real stack: the fault is observed, undone and audited, and leaves nothing.

Skipped, also under CI, where there is no Pumba: docs/pumba.md says how to run it by hand.
"""

import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pytest
import requests
from bench_harness import RUN_LIMIT_S, Bench, Played
from pumba_bench import (
    CASES,
    KILL,
    RM,
    SETTINGS,
    Case,
    Look,
    cpu_s,
    experiment,
    in_network,
    left_by_pumba,
    look,
)
from stack_harness import ROOT, Stack, container_names, has_image
from waiting import wait_until

from aguante.drivers.pumba.pumba_helpers import NETEM_PROBE
from aguante.load_protocol.records import RequestRecord

pytestmark = [
    pytest.mark.alone,
    pytest.mark.container,
    pytest.mark.long("containers are started, from images that must be built first"),
    pytest.mark.usefixtures("tools", "well"),
    pytest.mark.skipif(
        shutil.which(SETTINGS.program) is None,
        reason="no Pumba: put it on PATH, or name it by AGUANTE_PUMBA",
    ),
]

HELD_LEAST = 8
"""Invariants that a run of a few seconds puts to the test, whatever the fault was."""
LASTING_S = 60


@pytest.fixture(scope="module")
def tools(stack: Stack) -> None:
    """The images of Pumba's helper containers."""
    for image in (SETTINGS.tc_image, SETTINGS.iptables_image, SETTINGS.stress_image):
        if not has_image(stack, image):
            pytest.skip(f"the image {image} is not here: docs/pumba.md says how to make one")


@pytest.fixture(scope="module")
def netem(stack: Stack, tools: None) -> bool:
    """Whether this kernel has netem."""
    words = ("--cap-add", "NET_ADMIN", "--entrypoint", "tc", SETTINGS.tc_image, *NETEM_PROBE)
    return stack.docker("run", "--rm", "--network", "none", *words, check=False).returncode == 0


@pytest.fixture
def well(stack: Stack) -> Iterator[None]:
    """Restore the stack, so that a failed test does not affect the next."""
    yield
    for service in ("payments", "inventory"):
        name = f"{stack.project}-{service}-1"
        stack.docker("unpause", name, check=False)
        stack.docker("start", name)


def holds(played: Played, case: Case, *, counted: bool = False) -> None:
    """The run was held, its fault felt and verified undone, and no invariant has an offending row.

    One that the kernel counted, too, may be felt by nobody, which makes the run inconclusive, and nothing else.
    """
    (fault,) = played.verdict.faults
    if fault.injection_observed or not counted:
        assert (played.exit_code, played.verdict.verdict) == (0, "held"), played.said
        assert fault.injection_observed, fault.evidence
    else:
        assert all("was not observed" in each for each in played.verdict.reasons), played.said
    assert fault.undone_verified, fault.evidence
    assert fault.evidence.startswith("Pumba version 1.")
    invariants = Counter(each.outcome for each in played.verdict.invariants)
    assert invariants["violated"] == 0, played.said
    assert invariants["held"] >= HELD_LEAST, played.said
    assert all(
        each.measure.exposure for each in played.verdict.invariants if each.outcome == "held"
    )
    assert fault.service == case.service


def as_before(before: Look, stack: Stack, case: Case, run_id: str) -> None:
    """The same containers, all as well as they were; only the one that ended was started again; nothing is left."""
    after = look(stack)
    assert after.containers == before.containers
    assert after.anew(before) == ({case.service} if case.anew else set())
    assert left_by_pumba(stack, case.service, run_id) == []


@pytest.mark.parametrize("name", CASES)
def test_a_fault_under_load_is_observed_and_leaves_nothing(
    name: str, bench: Bench, stack: Stack, netem: bool
) -> None:
    """The run is held with all invariants, and the stack is unchanged, without rule, helper or toxic."""
    case = CASES[name]
    if name.startswith("netem") and not netem:
        pytest.skip("this kernel has no netem (sch_netem)")
    before, used_s, known = look(stack), cpu_s(stack, case.service), bench.folders()
    played = bench.play(experiment(case), "--attach", stack.project)
    used_s = cpu_s(stack, case.service) - used_s
    runs = len(bench.folders() - known)
    holds(played, case, counted=0 < case.cpu_s < used_s / runs)
    as_before(before, stack, case, played.verdict.run_id)


def test_a_removed_container_of_the_runs_own_is_recreated_by_compose(
    bench: Bench, stack: Stack
) -> None:
    """After `rm` under `--runtime compose`, Compose recreates the container with the same ports and policy."""
    before = container_names(stack)
    played = bench.play(experiment(RM, recovery_s=4), "--runtime", "compose")
    holds(played, RM)
    assert played.verdict.runtime == "compose"
    assert "payments-1: gone;" in played.verdict.faults[0].evidence
    assert container_names(stack) == before


def test_the_librarys_experiment_with_pumba_holds(bench: Bench, stack: Stack) -> None:
    """The experiment payments-frozen is held on containers that the run starts and removes."""
    text = (ROOT / "chaos-experiments" / "containers" / "payments-frozen.yaml").read_text()
    before = container_names(stack)
    played = bench.play(text, "--runtime", "compose")
    holds(played, CASES["pause"])
    assert container_names(stack) == before


def test_netem_is_rejected_without_kernel_support(bench: Bench, stack: Stack, netem: bool) -> None:
    """It exits with 4 before any load and changes nothing; the message names the kernel module and an alternative."""
    if netem:
        pytest.skip("this kernel has netem")
    before, case = look(stack), CASES["netem delay"]
    done = bench.call(bench.command(experiment(case), "--attach", stack.project))
    assert done.returncode == 4
    assert "the kernel has no netem (sch_netem" in done.stderr
    assert "modprobe sch_netem" in done.stderr
    assert "use a toxiproxy fault or `iptables loss` instead" in done.stderr
    (run,) = bench.runs.glob("*-pumba-netem-delay-*")
    assert not (run / "requests.jsonl").exists() or not (run / "requests.jsonl").read_bytes()
    as_before(before, stack, case, run.name)


class Killed(NamedTuple):
    """The run in which payments is killed under load, and the gateway's counters before it."""

    before: Look
    counted: Counter[str]
    played: Played


@pytest.fixture(scope="module")
def killed(bench: Bench, stack: Stack, tools: None) -> Killed:
    before, counted = look(stack), counted_by_gateway(stack)
    text = experiment(KILL, recovery_s=4)
    return Killed(before, counted, bench.play(text, "--attach", stack.project))


def test_a_kill_of_payments_loses_nothing(killed: Killed, stack: Stack) -> None:
    """The run is held with all invariants, and the container was restarted."""
    holds(killed.played, KILL)
    as_before(killed.before, stack, KILL, killed.played.verdict.run_id)


def ledger(bench: Bench, played: Played) -> Counter[str]:
    """Status -> number of responses that the run's clients received."""
    lines = (bench.runs / played.verdict.run_id / "requests.jsonl").read_bytes().splitlines()
    records = [msgspec.json.decode(line, type=RequestRecord) for line in lines]
    return Counter(str(each.status) for each in records if each.status)


def prometheus(stack: Stack, query: str) -> list[dict[str, Any]]:
    url = f"http://{stack.address('prometheus', 9090)}/api/v1/query"
    answer = requests.get(url, {"query": query}, timeout=10).json()
    assert answer["status"] == "success", answer
    return list(answer["data"]["result"])


def counted_by_gateway(stack: Stack) -> Counter[str]:
    """Status -> number of responses since the gateway started, after Prometheus's next scrape."""
    asked = time.time()

    def scraped() -> bool:
        found = prometheus(stack, 'timestamp(up{job="services", service="gateway"} == 1)')
        return any(float(each["value"][1]) > asked for each in found)

    wait_until(scraped, "another scrape")
    count = 'http_server_request_duration_seconds_count{service="gateway"}'
    found = prometheus(stack, f"sum by (http_response_status_code) ({count})")
    return Counter(
        {each["metric"]["http_response_status_code"]: int(each["value"][1]) for each in found}
    )


def test_prometheus_agrees_with_the_run_about_the_kill(
    killed: Killed, bench: Bench, stack: Stack
) -> None:
    """Prometheus has the clients' number of responses per status, the fault's duration, and the open breaker."""
    said = ledger(bench, killed.played)
    assert said["503"] > 0
    assert counted_by_gateway(stack) - killed.counted == said
    run = f'run_id="{killed.played.verdict.run_id}"'
    (held,) = prometheus(stack, f"max_over_time(aguante_fault_active{{{run}}}[3m])")
    assert (held["metric"]["service"], held["metric"]["kind"]) == ("payments", "kill")
    assert held["value"][1] == "1"
    state = 'aguante_breaker_state{link="reservations-payments", state="open"}'
    assert [each["value"][1] for each in prometheus(stack, f"max_over_time({state}[3m])")] == ["1"]


def test_jaeger_finds_every_response_of_the_run(killed: Killed, bench: Bench, stack: Stack) -> None:
    """Jaeger has one trace per response with the client's status, and the calls that the breaker rejected."""
    said = ledger(bench, killed.played)
    run = {"aguante.run_id": killed.played.verdict.run_id}
    wait_until(lambda: traces(stack, "gateway", run, said.total()) == said, "every trace", 15)
    refused = {"error.type": "breaker_open", "aguante.link": "reservations-payments"}
    assert traces(stack, "reservations", {**run, **refused}, said.total())["503"] > 0


def traces(stack: Stack, service: str, tags: dict[str, str], limit: int) -> Counter[str]:
    """Status of the gateway's span -> number of traces found, at most twice the limit."""
    asked = {"service": service, "tags": json.dumps(tags), "limit": str(2 * limit)}
    url = f"http://{stack.address('jaeger', 16686)}/api/traces"
    found = requests.get(url, asked, timeout=20).json()["data"]
    return Counter(filter(None, (status_of(each) for each in found)))


def status_of(trace: dict[str, Any]) -> str:
    for span in trace["spans"]:
        tags = {each["key"]: each["value"] for each in span["tags"]}
        process = trace["processes"][span["processID"]]
        if process["serviceName"] == "gateway" and tags.get("span.kind") == "server":
            return str(tags["http.response.status_code"])
    return ""


def is_active(stack: Stack, case: Case) -> bool:
    """Whether Docker or the kernel shows the fault."""
    if case.command.startswith("iptables"):
        return any("--mode random" in rule for rule in in_network(stack, case.service))
    state = look(stack).containers[f"{stack.project}-{case.service}-1"].status
    return state == {"kill": "exited", "pause": "paused"}[case.command]


@pytest.mark.parametrize(
    "case", [KILL, CASES["pause"], CASES["iptables loss"]], ids=lambda case: case.command[:8]
)
def test_recover_undoes_the_faults_of_a_killed_run(case: Case, bench: Bench, stack: Stack) -> None:
    """After SIGKILL of the runner, Pumba's fault stays active until `aguante recover` restores everything."""
    before, known = look(stack), bench.folders()
    command = bench.command(experiment(case, LASTING_S), "--attach", stack.project)
    with subprocess.Popen(command, env=bench.environment) as runner:
        try:
            wait_until(lambda: is_active(stack, case))
        finally:
            runner.kill()
            runner.wait(RUN_LIMIT_S)
    (run,) = bench.folders() - known
    assert is_active(stack, case)
    done = bench.recover()
    assert (done.returncode, done.stderr) == (0, "Undoing faults ...\n")  # progress
    healed = f"{run.name}: hit: healed: restored {stack.project}-payments-1\n"
    assert done.stdout == healed
    as_before(before, stack, case, run.name)
