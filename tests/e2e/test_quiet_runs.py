"""What the verdict says where nothing happened: no fault, or a fault that nobody could feel."""

import subprocess
import sys
from pathlib import Path

from aguante.runfolder import RunFolder
from aguante.verdict.model import Verdict

ROOT = Path(__file__).parents[2]
UNFELT = """
name: unfelt
title: Payments is slow, and nobody asks it
learn: A test.
load: {profile: steady, rate_rps: 40, mix: {read_event: 1}}
phases: {warmup_s: 1, baseline_s: 2, fault_s: 3}
faults:
  - {id: slow, toxiproxy: {link: reservations-payments, toxic: latency, latency_ms: 3500}}
expect:
  - rate: {phase: baseline, status: 200, min: 0.5}
  - rate: {phase: fault, status: 200, min: 0.5}
"""


def play(folder: Path, experiment: Path, *sets: str) -> tuple[int, Verdict]:
    settings = [part for text in sets for part in ("--set", text)]
    argv = [sys.executable, "-m", "aguante", "run", str(experiment), *settings, "--quiet"]
    argv += ["--runs", str(folder / "runs")]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, 1, 2), done.stdout + done.stderr
    (run,) = (folder / "runs").glob("2*")
    return done.returncode, Verdict.model_validate_json(RunFolder(run).verdict.read_bytes())


def test_without_a_fault_nothing_is_found(tmp_path: Path) -> None:
    """A/A: both windows alike, no breaker, no retry, nothing lost; recovery does not apply."""
    short = ("load.rate_rps=20", "phases.warmup_s=1", "phases.baseline_s=4", "phases.fault_s=4")
    code, verdict = play(tmp_path, ROOT / "chaos-experiments" / "no-fault.yaml", *short)
    assert (code, verdict.verdict) == (0, "held"), verdict.reasons
    assert {each.outcome for each in verdict.expectations} == {"met"}
    assert verdict.breakers == ()
    assert verdict.recovery.outcome == "not_applicable"
    assert [each.name for each in verdict.invariants if each.outcome == "violated"] == []


def test_a_fault_that_nobody_felt_proves_nothing(tmp_path: Path) -> None:
    """The toxic was there and every expectation is met: inconclusive all the same, for want of a single attempt."""
    path = tmp_path / "unfelt.yaml"
    path.write_text(UNFELT)
    code, verdict = play(tmp_path, path)
    (fault,) = verdict.faults
    assert (fault.attempts_in_window, fault.injection_observed) == (0, False)
    assert fault.undone_verified
    assert {each.outcome for each in verdict.expectations} == {"met"}
    assert (code, verdict.verdict) == (2, "inconclusive")
    assert any("slow" in reason for reason in verdict.reasons)
