"""Experiments of chaos-experiments/ on the real system: some shortened by ``--set``, some as they are shipped."""

import csv
import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from aguante.core.own_program import aguante_command
from aguante.run_folder.events import STARTED_ANEW
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.journal import pending
from aguante.verdict.verdict import Verdict

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[2]
EXPERIMENTS = ROOT / "chaos-experiments"
SHORT = ("phases.warmup_s=1", "phases.baseline_s=3", "phases.fault_s=4", "phases.recovery_s=6")
PLAYED = {
    "payments-kill": ("load.rate_rps=10", "faults.0.duration_s=2"),
    # An attempt that failed is made again 5 s later: time for two of them.
    "notifications-down": (
        "load.rate_rps=10",
        "phases.recovery_s=11",
    ),
    "telemetry-down": (
        *("load.rate_rps=25", "phases.fault_s=8", "faults.0.duration_s=3.5"),
        *("faults.1.start_s=4", "faults.1.duration_s=3.5"),
    ),
}
SHIPPED = ("inventory-down", "payment-timeout-ambiguity", "race-one-seat")
"""Played as a reader of the README plays them; at 10 to 20 requests a second two leave room on two cores."""
PAUSE = """
name: stand-still
title: Payments stands still
learn: A test.
load: {profile: steady, rate_rps: 10, mix: {reserve: 1}}
phases: {warmup_s: 1, baseline_s: 2, fault_s: 20}
faults:
  - {id: still, process: {service: payments, action: pause}}
expect:
  - rate: {phase: baseline, status: 200, min: 0.5}
"""


def command(folder: Path, experiment: Path, *sets: str) -> list[str]:
    settings = [part for text in sets for part in ("--set", text)]
    base = aguante_command("run", str(experiment), "--retry-inconclusive", "1")
    return [*base, *settings, "--runs", str(folder / "runs"), "--quiet"]


def play(folder: Path, name: str, *sets: str) -> tuple[RunFolder, Verdict]:
    done = subprocess.run(
        command(folder, EXPERIMENTS / f"{name}.yaml", *sets),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode in (0, 1, 2), done.stdout + done.stderr
    run = max((folder / "runs").glob("2*"))
    return RunFolder(run), Verdict.model_validate_json(RunFolder(run).verdict.read_text())


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[RunFolder, Verdict]]:
    """Each of PLAYED and SHIPPED; two at once, since what is asked of them is what happened, not how quickly."""
    folder = tmp_path_factory.mktemp("played")
    with ThreadPoolExecutor(2) as pool:
        begun = {
            name: pool.submit(play, folder / name, name, *SHORT, *sets)
            for name, sets in PLAYED.items()
        }
        begun |= {name: pool.submit(play, folder / name, name) for name in SHIPPED}
        return {name: each.result() for name, each in begun.items()}


def test_a_killed_service_is_felt_started_again_and_loses_nothing(
    played: dict[str, tuple[RunFolder, Verdict]],
) -> None:
    """SIGKILL in the middle of load: its callers show it, another process takes its place, all invariants hold."""
    folder, verdict = played["payments-kill"]
    (fault,) = verdict.faults
    assert (fault.kind, fault.service) == ("kill", "payments")
    assert (fault.injection_observed, fault.undone_verified) == (True, True)
    assert fault.attempts_bitten > 0
    assert f"{STARTED_ANEW} (was " in folder.events.read_text()
    assert pending(folder.journal) == []
    assert [each.name for each in verdict.invariants if each.outcome == "violated"] == []


def test_who_could_not_be_notified_is_told_later(
    played: dict[str, tuple[RunFolder, Verdict]],
) -> None:
    """Every request of the fault is answered 200, and afterwards the outbox has delivered every notice."""
    folder, verdict = played["notifications-down"]
    fault = next(phase for phase in verdict.phases if phase.phase == "fault")
    good = sum(cause.requests for cause in fault.causes if cause.status == 200)
    assert good >= 0.9 * fault.requests
    with (folder.tables / "reservations.outbox.csv").open(newline="") as file:
        notices = list(csv.DictReader(file))
    late = [each for each in notices if int(each["attempts"]) > 0]
    assert late, "nothing waited in the outbox: the fault was not felt"
    assert [each for each in notices if not each["delivered_at"]] == []


def test_nobody_but_the_counters_notices_a_dead_collector(
    played: dict[str, tuple[RunFolder, Verdict]],
) -> None:
    """It hangs, then it is gone: no span gets through, some are lost and counted, and orders go on."""
    folder, verdict = played["telemetry-down"]
    assert [each.id for each in verdict.faults if each.injection_observed] == ["hangs", "gone"]
    for fault in verdict.faults:
        assert fault.evidence.count("; 0 of ") == 1, fault.evidence  # not one span went another way
    fault_phase = next(phase for phase in verdict.phases if phase.phase == "fault")
    good = sum(cause.requests for cause in fault_phase.causes if cause.status == 200)
    assert good >= 0.9 * fault_phase.requests
    (closed,) = (each for each in read_events(folder) if each["kind"] == "collector")
    assert closed["spans_dropped"] > 0


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_experiment_holds_as_it_is(
    played: dict[str, tuple[RunFolder, Verdict]], name: str
) -> None:
    """Its own phases, rates and bounds, unchanged: what its header promises."""
    _, verdict = played[name]
    assert verdict.verdict == "held", verdict.reasons
    assert all(fault.injection_observed for fault in verdict.faults)


def read_events(folder: RunFolder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in folder.events.read_text().splitlines()]


def test_after_a_kill_of_the_runner_no_process_is_left_standing_still(tmp_path: Path) -> None:
    """A paused service cannot see that its testbed is gone; recover ends it all the same."""
    path = tmp_path / "still.yaml"
    path.write_text(PAUSE)
    runner = subprocess.Popen(
        command(tmp_path, path), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for_fault(tmp_path, runner)
        started = psutil.Process(runner.pid).children(recursive=True)
        still = [each for each in started if each.status() == psutil.STATUS_STOPPED]
    finally:
        runner.kill()
        runner.wait(timeout=10)
    assert len(still) == 1
    recover = aguante_command("recover", "--runs", str(tmp_path / "runs"))
    done = subprocess.run(
        recover, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "still: healed" in done.stdout
    assert not still[0].is_running() or still[0].status() == psutil.STATUS_ZOMBIE


def wait_for_fault(folder: Path, runner: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert runner.poll() is None, "the run ended before its fault"
        for events in (folder / "runs").glob("*/events.jsonl"):
            if '"action":"applied"' in events.read_text():
                return
        time.sleep(0.1)
    pytest.fail("no fault was applied within 60 s")
