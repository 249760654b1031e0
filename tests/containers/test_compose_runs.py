"""An experiment has the same outcome of each expectation in containers and as plain processes.

Three short ones: a slow callee and one that refuses on a stack that `docker compose up` started
(``--attach``), one that is killed on containers that the run itself starts and removes (``--runtime
compose``). And whatever ends such a run, nothing of it is left.
"""

import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from bench_harness import RUN_LIMIT_S, Bench, Played
from stack_harness import Stack, container_names, left_of
from waiting import wait_until

from aguante.clients.toxiproxy_client import ToxiproxyClient
from aguante.runtimes.testbed_state import folders, read_state

pytestmark = [
    pytest.mark.alone,
    pytest.mark.container,
    pytest.mark.long("containers are started, from images that must be built first"),
]

SLOW = """\
name: short-slow
title: Payments answers in 3.5 s
learn: Slowness becomes 504, then the breaker makes it a fast 503.
load: {profile: mixed, rate_rps: 12, mix: {reserve: 0.75, read_event: 0.25}}
phases: {warmup_s: 1, baseline_s: 2, fault_s: 6, recovery_s: 8}
faults:
  - {id: slow, toxiproxy: {link: reservations-payments, toxic: latency, latency_ms: 3500}}
expect:
  - rate: {phase: baseline, status: 200, min: 0.9}
  - rate: {phase: fault, status: 504, origin: reservations, mechanism: timeout, min: 0.1}
  - rate: {phase: fault, status: 503, mechanism: breaker_open, min: 0.1}
  - rate: {phase: fault, operation: read_event, status: 200, min: 0.9}
  - breaker: {link: reservations-payments, opens_within_s: 5, closes_within_s: 9}
  - attribution: {min: 1}
invariants: all
"""
REFUSED = """\
name: short-refused
title: Inventory cannot be reached by orders
learn: What is refused fails at once, and the breaker spares the rest the asking.
load: {profile: mixed, rate_rps: 12, mix: {reserve: 0.75, read_event: 0.25}}
phases: {warmup_s: 1, baseline_s: 2, fault_s: 4, recovery_s: 7}
faults:
  - {id: orders, toxiproxy: {link: reservations-inventory, toxic: down}}
expect:
  - rate: {phase: baseline, status: 200, min: 0.9}
  - rate: {phase: fault, status: 503, mechanism: connect_refused, min: 0.01}
  - rate: {phase: fault, status: 503, mechanism: breaker_open, link: reservations-inventory, min: 0.3}
  - rate: {phase: fault, operation: read_event, status: 200, min: 0.9}
  - rate: {phase: fault, status: 504, min: 0.5}   # not so: it must be unmet on both
  - attribution: {min: 1}
expected_verdict: deviated
invariants: all
"""
KILLED = """\
name: short-killed
title: Payments is killed and started again
learn: A dead process is a cut connection; every charge has a reservation or a refund afterwards.
load: {profile: mixed, rate_rps: 12, mix: {reserve: 0.75, read_event: 0.25}}
phases: {warmup_s: 1, baseline_s: 2, fault_s: 7, recovery_s: 10}
faults:
  - {id: crash, start_s: 0.5, duration_s: 6, process: {service: payments, action: kill}}
expect:
  - rate: {phase: baseline, status: 200, min: 0.9}
  - rate: {phase: fault, status: 503, link: reservations-payments, min: 0.2}
  - rate: {phase: fault, operation: read_event, status: 200, min: 0.9}
  - breaker: {link: reservations-payments, opens_within_s: 4}   # a timeout's 3 s: see docs/runtimes.md
  - attribution: {min: 1}
invariants: all
"""


def project_of(bench: Bench, *, up: bool) -> str:
    """Return the project of the current run; with ``up``, once all its containers run."""
    deadline = time.monotonic() + RUN_LIMIT_S
    while time.monotonic() < deadline:
        for root in folders(bench.beds):
            saved = read_state(root)
            if saved and saved.project and (saved.testbed or not up):
                return saved.project
        time.sleep(0.1)
    pytest.fail("the run started no testbed")


@pytest.fixture(scope="module")
def natives(bench: Bench) -> dict[str, Played]:
    """The results on plain processes, by the experiment's text. They run at once, each with its own testbed."""
    texts = (SLOW, REFUSED, KILLED)
    folders = [bench.folder / text.split()[1] for text in texts]
    for folder in folders:
        folder.mkdir(0o711)
    with ThreadPoolExecutor(len(texts)) as pool:
        return dict(
            zip(texts, pool.map(lambda at, text: Bench(at).play(text), folders, texts), strict=True)
        )


@pytest.mark.parametrize("text", [SLOW, REFUSED], ids=["slow", "refused"])
def test_an_attached_stack_has_the_outcomes_of_plain_processes(
    text: str, natives: dict[str, Played], bench: Bench, stack: Stack
) -> None:
    """Each expectation has the same outcome, and the stack is unchanged afterwards."""
    native, borrowed = natives[text], bench.play(text, "--attach", stack.project)
    assert native.verdict.runtime == "native"
    assert borrowed.verdict.runtime == "attach"
    assert "unknown" not in native.outcomes.values(), native.said
    assert borrowed.outcomes == native.outcomes, borrowed.said
    assert (borrowed.exit_code, borrowed.verdict.verdict) == (0, native.verdict.verdict)
    assert all(each["State"]["Running"] for each in stack.containers() if is_lasting(each))
    proxies = ToxiproxyClient(f"http://{stack.address('toxiproxy', 8474)}").proxies()
    assert all(each.enabled and not each.toxics for each in proxies.values())


def is_lasting(container: dict[str, object]) -> bool:
    """Whether the container keeps running; the one that generates passwords ends."""
    return not str(container["Name"]).endswith("-credentials-1")


def test_a_killed_container_has_the_outcomes_of_a_killed_process(
    natives: dict[str, Played], bench: Bench, stack: Stack
) -> None:
    """In its own containers, the run has the same outcomes, is held, and leaves nothing."""
    native, before = natives[KILLED], container_names(stack)
    contained = bench.play(KILLED, "--runtime", "compose")
    assert contained.outcomes == native.outcomes, contained.said
    assert (native.verdict.verdict, contained.verdict.verdict) == ("held", "held"), contained.said
    assert all(each.injection_observed for each in contained.verdict.faults)
    (run,) = bench.runs.glob(contained.verdict.run_id)
    logs = {path.stem for path in (run / "logs").iterdir()}
    assert {"payments-1", "gateway-1", "toxiproxy", "postgres", "telemetry", "load"} <= logs
    assert container_names(stack) == before


def test_another_policy_than_the_stacks_is_rejected(bench: Bench, stack: Stack) -> None:
    """It exits with 4 and changes nothing; the message names the difference and both fixes."""
    command = bench.command(SLOW, "--attach", stack.project, "--policy", "no-breaker")
    done = bench.call(command, 60)
    assert done.returncode == 4
    assert "does not run with policy no-breaker: name is default" in done.stderr
    assert "AGUANTE_POLICY=no-breaker docker compose up --wait" in done.stderr


def test_ctrl_c_removes_every_container_also_while_they_start(bench: Bench, stack: Stack) -> None:
    """After SIGINT during `docker compose up`, it exits with 2 and Docker has nothing left of the project."""
    command = bench.command(KILLED, "--runtime", "compose")
    with subprocess.Popen(command, env=bench.environment) as runner:
        project = project_of(bench, up=False)
        while not left_of(stack, project):
            time.sleep(0.05)
        runner.send_signal(signal.SIGINT)
        assert runner.wait(RUN_LIMIT_S) == 2
    assert left_of(stack, project) == ""
    assert folders(bench.beds) == ()


def test_recover_removes_the_leftovers_of_a_killed_run(bench: Bench, stack: Stack) -> None:
    """SIGKILL during a run leaves containers, which `aguante recover` removes."""
    command = bench.command(KILLED, "--runtime", "compose")
    with subprocess.Popen(command, env=bench.environment) as runner:
        project = project_of(bench, up=True)
        runner.kill()
        runner.wait(RUN_LIMIT_S)
    assert left_of(stack, project)
    done = bench.recover()
    assert done.returncode == 0, done.stderr
    assert left_of(stack, project) == ""
    assert folders(bench.beds) == ()


def test_recover_starts_the_container_that_a_killed_run_had_killed(
    bench: Bench, stack: Stack
) -> None:
    """After SIGKILL of an attached runner, payments stays down until `aguante recover` restarts it."""
    known = bench.folders()
    command = bench.command(KILLED, "--attach", stack.project)
    with subprocess.Popen(command, env=bench.environment) as runner:
        try:
            wait_until(lambda: not payments(stack)["Running"], "the kill", RUN_LIMIT_S)
        finally:
            runner.kill()
            runner.wait(RUN_LIMIT_S)
    (run,) = bench.folders() - known
    assert not payments(stack)["Running"]
    done = bench.recover()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{run.name}: crash: healed: restored payments-1\n"
    assert payments(stack)["Running"]
    assert requests.get(f"http://{stack.address('payments', 5003)}/readyz", timeout=5).ok
    # as others found it: healthy by Docker's word, and no breaker open
    wait_until(lambda: payments(stack)["Health"]["Status"] == "healthy", "health", RUN_LIMIT_S)
    wait_until(lambda: sells(stack), "a sale", RUN_LIMIT_S)


def sells(stack: Stack) -> bool:
    """Whether an order is confirmed; the request also lets an open breaker try again."""
    event = f"http://{stack.address('inventory', 5002)}/events/recovered"
    requests.put(event, json={"capacity": 500}, timeout=10).raise_for_status()
    order = {"user_id": "ana", "event_id": "recovered", "quantity": 1}
    shop = f"http://{stack.address('toxiproxy', 6000)}"
    return requests.post(f"{shop}/reserve", json=order, timeout=10).status_code == 200


def payments(stack: Stack) -> dict[str, Any]:
    """Return the state of payments' container."""
    states = {str(each["Name"]): each["State"] for each in stack.containers()}
    found: dict[str, Any] = states[f"/{stack.project}-payments-1"]
    return found
