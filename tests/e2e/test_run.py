"""`aguante run` as a process on the real system: exit codes, verdicts and run folders."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from aguante_process import ROOT, run_aguante
from real_runs import RETRIED, EndedRun, play, play_text, real_runs

from aguante.verdict.verdict import Verdict

SLOW = """
name: short
title: Payments answers late, for a short while
learn: A test.
load: {{profile: mixed, rate_rps: {rate_rps}, mix: {{reserve: 0.75, read_event: 0.25}}}}
phases: {{warmup_s: 1, baseline_s: {baseline_s}, fault_s: 8, recovery_s: {recovery_s}}}
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
ABORT = "abort_when:\n  - rate: {phase: baseline, status: 200, min: 0.5}\n"  # asked each second
FILLS_THE_SEMAPHORE_RPS = 36
"""27 reservations a second: 64 wait after 2.4 s, the first times out after 3 s. More is too much for a busy machine."""
UNOBSERVED = """
name: unobserved
title: Payments is slow, and nothing calls it
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

Runs = Mapping[str, EndedRun]


def slow(
    *,
    rate_rps: int = FILLS_THE_SEMAPHORE_RPS,
    baseline_s: int = 2,
    recovery_s: int = 4,
    expect: str = EXPECT,
    rest: str = "",
) -> str:
    return SLOW.format(
        rate_rps=rate_rps,
        baseline_s=baseline_s,
        recovery_s=recovery_s,
        expect=expect,
        rest=rest,
    )


runs = real_runs(
    "runs",
    {
        "breaker": partial(play_text, text=slow(expect=EXPECT_BREAKER), options=RETRIED),
        "no-breaker": partial(
            play_text, text=slow(recovery_s=1), options=("--policy", "no-breaker", *RETRIED)
        ),
        "aborted": partial(play_text, text=slow(rate_rps=8, baseline_s=8, rest=ABORT)),
        "no-fault": partial(play, experiment=ROOT / "chaos-experiments/no-fault.yaml", sets=SHORT),
        "unobserved": partial(play_text, text=UNOBSERVED),
    },
)


def assert_invariants_held(verdict: Verdict) -> None:
    """All held on at least one row, except that without a killed service no saga is taken over."""
    unchecked = {each.name for each in verdict.invariants if each.measure.exposure == 0}
    assert unchecked <= {"no_saga_is_stuck"}
    assert {e.outcome for e in verdict.invariants if e.name not in unchecked} == {"held"}


def test_a_slow_callee_ends_held_with_every_mechanism_shown(runs: Runs) -> None:
    """429, then 504, then 503 from the breaker; reads recover; every invariant is checked and held."""
    run = runs["breaker"]
    verdict, folder = run.verdict, run.folder
    assert (verdict.verdict, run.exit_code) == ("held", 0), run.stdout + run.stderr
    assert_invariants_held(verdict)
    assert [fault.injection_observed for fault in verdict.faults] == [True]
    assert verdict.attribution.attributed == verdict.attribution.failures > 0
    assert verdict.attribution.contradicted_by_spans == 0
    for file in (folder.report_html, folder.report_md, folder.junit, folder.traces, folder.metrics):
        assert file.stat().st_size > 0
    assert json.loads(folder.traces.read_text().splitlines()[0])


def test_without_the_breaker_the_same_experiment_deviates(runs: Runs) -> None:
    """Reads go on failing with 429, which shows what the breaker is worth. Exit code 1."""
    run = runs["no-breaker"]
    verdict = run.verdict
    assert (verdict.verdict, run.exit_code) == ("deviated", 1), run.stdout + run.stderr
    unmet = [result for result in verdict.expectations if result.outcome == "unmet"]
    assert "rate of 200 of read_event" in [result.text.split(" in ")[0] for result in unmet]
    assert_invariants_held(verdict)


def test_an_invalid_file_starts_nothing(tmp_path: Path) -> None:
    """Every error of the file at once, exit code 3, and no run folder."""
    path = tmp_path / "experiment.yaml"
    path.write_text(slow(expect="  - rate: {phase: fualt, status: 504, min: 2}\n"))
    done = run_aguante("run", path, "--runs", tmp_path / "runs")
    assert done.returncode == 3
    assert f"{path}:10" in done.stderr
    assert "fault" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_an_abort_condition_ends_the_run_before_the_fault(runs: Runs) -> None:
    """A system whose baseline is bad is not broken further: inconclusive, no fault applied."""
    run = runs["aborted"]
    assert run.exit_code == 2, run.stdout + run.stderr
    assert '"action":"applied"' not in run.folder.events.read_text()
    assert any("abort condition" in reason for reason in run.verdict.reasons)


def test_a_run_without_a_fault_finds_nothing(runs: Runs) -> None:
    """A/A: both windows alike, no breaker, no retry, nothing lost; recovery does not apply."""
    run = runs["no-fault"]
    verdict = run.verdict
    assert (run.exit_code, verdict.verdict) == (0, "held"), verdict.reasons
    assert {each.outcome for each in verdict.expectations} == {"met"}
    assert verdict.breakers == ()
    assert verdict.recovery.outcome == "not_applicable"
    assert [each.name for each in verdict.invariants if each.outcome == "violated"] == []


def test_a_fault_that_no_call_observed_is_inconclusive(runs: Runs) -> None:
    """The toxic was applied and every expectation is met, but no attempt used the link."""
    run = runs["unobserved"]
    verdict = run.verdict
    (fault,) = verdict.faults
    assert (fault.attempts_in_window, fault.injection_observed) == (0, False)
    assert fault.undone_verified
    assert {each.outcome for each in verdict.expectations} == {"met"}
    assert (run.exit_code, verdict.verdict) == (2, "inconclusive")
    assert any("slow" in reason for reason in verdict.reasons)
