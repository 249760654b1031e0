"""Experiments of chaos-experiments/ on the real system, shortened by ``--set``."""

import csv
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from aguante.events import STARTED_ANEW
from aguante.journal import pending
from aguante.runfolder import RunFolder
from aguante.verdict.model import Verdict

ROOT = Path(__file__).parents[2]
EXPERIMENTS = ROOT / "chaos-experiments"
SHORT = ("phases.warmup_s=1", "phases.baseline_s=3", "phases.fault_s=4", "phases.recovery_s=6")
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
    base = [sys.executable, "-m", "aguante", "run", str(experiment)]
    return [*base, *settings, "--runs", str(folder / "runs"), "--quiet"]


def play(folder: Path, name: str, *sets: str) -> tuple[RunFolder, Verdict]:
    done = subprocess.run(
        command(folder, EXPERIMENTS / f"{name}.yaml", *sets),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode in (0, 1, 2), done.stdout + done.stderr
    (run,) = (folder / "runs").glob("2*")
    return RunFolder(run), Verdict.model_validate_json(RunFolder(run).verdict.read_text())


def test_a_killed_service_is_felt_started_again_and_loses_nothing(tmp_path: Path) -> None:
    """SIGKILL in the middle of load: its callers show it, another process takes its place, all invariants hold."""
    folder, verdict = play(tmp_path, "payments-kill", *SHORT, "faults.0.duration_s=2")
    (fault,) = verdict.faults
    assert (fault.kind, fault.service) == ("kill", "payments")
    assert (fault.injection_observed, fault.undone_verified) == (True, True)
    assert fault.attempts_bitten > 0
    assert f"{STARTED_ANEW} (was " in folder.events.read_text()
    assert pending(folder.journal) == []
    assert [each.name for each in verdict.invariants if each.outcome == "violated"] == []


def test_who_could_not_be_notified_is_told_later(tmp_path: Path) -> None:
    """Every request of the fault is answered 200, and afterwards the outbox has delivered every notice."""
    # An attempt that failed is made again 5 s later: time for two of them.
    folder, verdict = play(tmp_path, "notifications-down", *SHORT, "phases.recovery_s=11")
    fault = next(phase for phase in verdict.phases if phase.phase == "fault")
    good = sum(cause.requests for cause in fault.causes if cause.status == 200)
    assert good >= 0.9 * fault.requests
    with (folder.tables / "reservations.outbox.csv").open(newline="") as file:
        notices = list(csv.DictReader(file))
    late = [each for each in notices if int(each["attempts"]) > 0]
    assert late, "nothing waited in the outbox: the fault was not felt"
    assert [each for each in notices if not each["delivered_at"]] == []


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
    recover = [sys.executable, "-m", "aguante", "recover", "--runs", str(tmp_path / "runs")]
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
