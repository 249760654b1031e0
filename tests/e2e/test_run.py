"""`aguante run` as its user starts it: a process, the real system, an exit code and a run folder."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from aguante.journal import pending
from aguante.runfolder import RunFolder
from aguante.verdict.model import Verdict

ROOT = Path(__file__).parents[2]

SHORT = """
name: short
title: Payments answers late, for a short while
learn: A test.
policy: {policy}
load: {{profile: mixed, rate_rps: 60, mix: {{reserve: 0.75, read_event: 0.25}}}}
phases: {{warmup_s: 1, baseline_s: {baseline_s}, fault_s: {fault_s}, recovery_s: {recovery_s}}}
faults:
  - {{id: slow, toxiproxy: {{link: reservations-payments, toxic: latency, latency_ms: 3500, jitter_ms: 200}}}}
expect:
{expect}
invariants: all
{rest}
"""
EXPECT = """\
  - rate: {phase: baseline, status: 200, min: 0.97}
  - rate: {phase: fault, status: 504, mechanism: timeout, min: 0.02}
  - rate: {phase: fault, status: 429, mechanism: semaphore_full, min: 0.02}
  - rate: {phase: fault, after_s: 5, operation: read_event, status: 200, min: 0.95}
"""
EXPECT_BREAKER = (
    EXPECT
    + """\
  - rate: {phase: fault, after_s: 5, status: 503, mechanism: breaker_open, min: 0.40}
  - breaker: {link: reservations-payments, opens_within_s: 5}
"""
)


def write(
    folder: Path,
    *,
    policy: str = "default",
    baseline_s: int = 2,
    fault_s: int = 8,
    recovery_s: int = 4,
    expect: str = EXPECT,
    rest: str = "",
) -> Path:
    path = folder / "short.yaml"
    path.write_text(
        SHORT.format(
            policy=policy,
            baseline_s=baseline_s,
            fault_s=fault_s,
            recovery_s=recovery_s,
            expect=expect,
            rest=rest,
        )
    )
    return path


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "aguante", "run", *arguments, "--runs", str(folder / "runs")]


def play(folder: Path, experiment: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, str(experiment), *options),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def only_run(folder: Path) -> RunFolder:
    (run,) = (folder / "runs").iterdir()
    return RunFolder(run)


def verdict_of(folder: Path) -> Verdict:
    return Verdict.model_validate_json(only_run(folder).verdict.read_text())


def assert_invariants_held(verdict: Verdict) -> None:
    """All held, each tried on something; but in a run that nothing was killed in no saga is taken over."""
    untried = {each.name for each in verdict.invariants if each.measure.exposure == 0}
    assert untried <= {"no_saga_is_stuck"}
    assert {each.outcome for each in verdict.invariants if each.name not in untried} == {"held"}


def processes_of(run_id_or_folder: str) -> list[str]:
    """Command lines of living processes that name this folder in their arguments or environment."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            text = " ".join(process.cmdline()) + " ".join(process.environ().values())
            if run_id_or_folder in text and process.pid != os.getpid():
                found.append(" ".join(process.cmdline()))
    return found


@pytest.fixture
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A mark in the environment of everything that a run starts, so that leftovers can be found."""
    monkeypatch.setenv("AGUANTE_TEST_MARK", str(tmp_path))
    yield tmp_path
    assert processes_of(str(tmp_path)) == []


def test_a_slow_callee_ends_held_with_every_mechanism_shown(own_state: Path) -> None:
    """429, then 504, then 503 from the breaker; reads are back; every invariant tried and held."""
    done = play(own_state, write(own_state, expect=EXPECT_BREAKER))
    verdict = verdict_of(own_state)
    assert (verdict.verdict, done.returncode) == ("held", 0), done.stdout + done.stderr
    assert_invariants_held(verdict)
    assert [fault.injection_observed for fault in verdict.faults] == [True]
    assert verdict.attribution.attributed == verdict.attribution.failures > 0
    assert verdict.attribution.contradicted_by_spans == 0
    folder = only_run(own_state)
    for file in (folder.report_html, folder.report_md, folder.junit, folder.traces, folder.metrics):
        assert file.stat().st_size > 0
    assert json.loads(folder.traces.read_text().splitlines()[0])


def test_without_the_breaker_the_same_experiment_deviates(own_state: Path) -> None:
    """The reads go on failing with 429: that is what the breaker is worth. Exit code 1."""
    done = play(own_state, write(own_state), "--policy", "no-breaker")
    verdict = verdict_of(own_state)
    assert (verdict.verdict, done.returncode) == ("deviated", 1), done.stdout + done.stderr
    unmet = [result for result in verdict.expectations if result.outcome == "unmet"]
    assert "rate of 200 of read_event" in [result.text.split(" in ")[0] for result in unmet]
    assert_invariants_held(verdict)


def test_a_broken_file_starts_nothing(own_state: Path) -> None:
    """Every fault of the file at once, exit code 3, and not even a run folder."""
    path = write(own_state, expect="  - rate: {phase: fualt, status: 504, min: 2}\n")
    done = play(own_state, path)
    assert done.returncode == 3
    assert f"{path}:11" in done.stderr
    assert "fault" in done.stderr
    assert not (own_state / "runs").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_fault_window_heals_first(own_state: Path, number: signal.Signals) -> None:
    """The toxic is lifted and verified, the run is judged inconclusive, and no process is left."""
    path = write(own_state, expect=EXPECT)
    runner = subprocess.Popen(
        command(own_state, str(path)), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    wait_for_fault(own_state, runner)
    runner.send_signal(number)
    output, _ = runner.communicate(timeout=60)
    assert runner.returncode == 2, output.decode()
    folder = only_run(own_state)
    assert pending(folder.journal) == []
    assert '"action":"verified"' in folder.events.read_text()
    assert verdict_of(own_state).verdict == "inconclusive"


def test_after_a_kill_recover_leaves_nothing_broken(own_state: Path) -> None:
    """SIGKILL gives the runner no chance; `aguante recover` sweeps up, and says what it healed."""
    runner = subprocess.Popen(
        command(own_state, str(write(own_state))),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for_fault(own_state, runner)
    runner.kill()
    runner.wait(timeout=10)
    assert [undo.fault_id for undo in pending(only_run(own_state).journal)] == ["slow"]
    recover = [sys.executable, "-m", "aguante", "recover", "--runs", str(own_state / "runs")]
    done = subprocess.run(
        recover, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "slow: healed" in done.stdout
    assert pending(only_run(own_state).journal) == []


def test_an_abort_condition_ends_the_run_before_the_fault(own_state: Path) -> None:
    """A system that is not well by itself is not broken further: inconclusive, no fault applied."""
    rest = "abort_when:\n  - rate: {phase: baseline, status: 200, min: 0.5}\n"
    done = play(own_state, write(own_state, baseline_s=8, rest=rest))  # asked each second
    assert done.returncode == 2, done.stdout + done.stderr
    assert '"action":"applied"' not in only_run(own_state).events.read_text()
    assert any("abort condition" in reason for reason in verdict_of(own_state).reasons)


def wait_for_fault(folder: Path, runner: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert runner.poll() is None, "the run ended before its fault"
        for events in (folder / "runs").glob("*/events.jsonl"):
            if '"action":"applied"' in events.read_text():
                return
        time.sleep(0.1)
    pytest.fail("no fault was applied within 30 s")
