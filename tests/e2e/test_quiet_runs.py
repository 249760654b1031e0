"""What the verdict says where nothing happened: no fault, or a fault that nobody could feel."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aguante.core.own_program import aguante_command
from aguante.run_folder.folder import RunFolder
from aguante.verdict.verdict import Verdict

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[2]
UNFELT = """
name: unfelt
title: Payments is slow, and nobody asks it
learn: A test.
load: {profile: steady, rate_rps: 20, mix: {read_event: 1}}
phases: {warmup_s: 1, baseline_s: 2, fault_s: 3}
faults:
  - {id: slow, toxiproxy: {link: reservations-payments, toxic: latency, latency_ms: 3500}}
expect:
  - rate: {phase: baseline, status: 200, min: 0.5}
  - rate: {phase: fault, status: 200, min: 0.5}
"""


SHORT = ("load.rate_rps=20", "phases.warmup_s=1", "phases.baseline_s=4", "phases.fault_s=4")
Played = dict[str, tuple[int, Verdict]]


def play(folder: Path, experiment: Path, *sets: str) -> tuple[int, Verdict]:
    settings = [part for text in sets for part in ("--set", text)]
    argv = aguante_command("run", str(experiment), *settings, "--quiet")
    argv += ["--runs", str(folder / experiment.stem)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, 1, 2), done.stdout + done.stderr
    (run,) = (folder / experiment.stem).glob("2*")
    return done.returncode, Verdict.model_validate_json(RunFolder(run).verdict.read_bytes())


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Both at once: at 20 rps neither keeps the other waiting."""
    folder = tmp_path_factory.mktemp("quiet")
    unfelt = folder / "unfelt.yaml"
    unfelt.write_text(UNFELT)
    with ThreadPoolExecutor(2) as pool:
        begun = (
            pool.submit(play, folder, ROOT / "chaos-experiments" / "no-fault.yaml", *SHORT),
            pool.submit(play, folder, unfelt),
        )
        return {
            name: each.result() for name, each in zip(("no-fault", "unfelt"), begun, strict=True)
        }


def test_without_a_fault_nothing_is_found(played: Played) -> None:
    """A/A: both windows alike, no breaker, no retry, nothing lost; recovery does not apply."""
    code, verdict = played["no-fault"]
    assert (code, verdict.verdict) == (0, "held"), verdict.reasons
    assert {each.outcome for each in verdict.expectations} == {"met"}
    assert verdict.breakers == ()
    assert verdict.recovery.outcome == "not_applicable"
    assert [each.name for each in verdict.invariants if each.outcome == "violated"] == []


def test_a_fault_that_nobody_felt_proves_nothing(played: Played) -> None:
    """The toxic was there and every expectation is met: inconclusive all the same, for want of a single attempt."""
    code, verdict = played["unfelt"]
    (fault,) = verdict.faults
    assert (fault.attempts_in_window, fault.injection_observed) == (0, False)
    assert fault.undone_verified
    assert {each.outcome for each in verdict.expectations} == {"met"}
    assert (code, verdict.verdict) == (2, "inconclusive")
    assert any("slow" in reason for reason in verdict.reasons)
