"""`aguante run` as its user starts it: a process, the real system, an exit code and a run folder."""

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from undo_harness import named_by

from aguante.core.own_program import aguante_command
from aguante.run_folder.folder import RunFolder
from aguante.verdict.verdict import Verdict

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[2]

SHORT = """
name: short
title: Payments answers late, for a short while
learn: A test.
policy: {policy}
load: {{profile: mixed, rate_rps: {rate_rps}, mix: {{reserve: 0.75, read_event: 0.25}}}}
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


ABORT = "abort_when:\n  - rate: {phase: baseline, status: 200, min: 0.5}\n"  # asked each second
FILLS_THE_SEMAPHORE_RPS = 36
"""27 reservations a second: 64 wait after 2.4 s, the first times out after 3 s. More is too much for a busy machine."""
RETRIED = ("--retry-inconclusive", "2")
"""A run without a steady state, or with a fault that came late, says nothing: it is played anew, as CI should."""


def write(
    folder: Path,
    *,
    policy: str = "default",
    rate_rps: int = FILLS_THE_SEMAPHORE_RPS,
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
            rate_rps=rate_rps,
            baseline_s=baseline_s,
            fault_s=fault_s,
            recovery_s=recovery_s,
            expect=expect,
            rest=rest,
        )
    )
    return path


def command(folder: Path, *arguments: str) -> list[str]:
    return aguante_command("run", *arguments, "--runs", str(folder / "runs"))


def play(folder: Path, experiment: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, str(experiment), *options),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=270,
        check=False,
    )


def last_run(folder: Path) -> RunFolder:
    return RunFolder(max((folder / "runs").iterdir()))


def verdict_of(folder: Path) -> Verdict:
    return Verdict.model_validate_json(last_run(folder).verdict.read_text())


def assert_invariants_held(verdict: Verdict) -> None:
    """All held, each tried on something; but in a run that nothing was killed in no saga is taken over."""
    untried = {each.name for each in verdict.invariants if each.measure.exposure == 0}
    assert untried <= {"no_saga_is_stuck"}
    assert {each.outcome for each in verdict.invariants if each.name not in untried} == {"held"}


@contextmanager
def marked(folder: Path) -> Iterator[Path]:
    """A mark in the environment of everything that a run starts, so that leftovers can be found."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGUANTE_TEST_MARK", str(folder))
        yield folder
        assert named_by(str(folder)) == []


@pytest.fixture
def own_state(tmp_path: Path) -> Iterator[Path]:
    """A folder for one run, which leaves nothing behind."""
    with marked(tmp_path) as folder:
        yield folder


class Played(NamedTuple):
    """What came of a run, and where its files are."""

    done: subprocess.CompletedProcess[str]
    folder: Path


@pytest.fixture(scope="module")
def unlucky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Played]]:
    """Two runs that do not end held, both at once: neither is judged by its timing."""
    with marked(tmp_path_factory.mktemp("unlucky")) as folder, ThreadPoolExecutor(2) as pool:
        broken, unwell = folder / "no-breaker", folder / "unwell"
        broken.mkdir()
        unwell.mkdir()
        no_breaker = ("--policy", "no-breaker", *RETRIED)
        without = pool.submit(play, broken, write(broken, recovery_s=1), *no_breaker)
        aborted = pool.submit(play, unwell, write(unwell, rate_rps=8, baseline_s=8, rest=ABORT))
        yield {
            "no-breaker": Played(without.result(), broken),
            "unwell": Played(aborted.result(), unwell),
        }


def test_a_slow_callee_ends_held_with_every_mechanism_shown(own_state: Path) -> None:
    """429, then 504, then 503 from the breaker; reads are back; every invariant tried and held."""
    done = play(own_state, write(own_state, expect=EXPECT_BREAKER), *RETRIED)
    verdict = verdict_of(own_state)
    assert (verdict.verdict, done.returncode) == ("held", 0), done.stdout + done.stderr
    assert_invariants_held(verdict)
    assert [fault.injection_observed for fault in verdict.faults] == [True]
    assert verdict.attribution.attributed == verdict.attribution.failures > 0
    assert verdict.attribution.contradicted_by_spans == 0
    folder = last_run(own_state)
    for file in (folder.report_html, folder.report_md, folder.junit, folder.traces, folder.metrics):
        assert file.stat().st_size > 0
    assert json.loads(folder.traces.read_text().splitlines()[0])


def test_without_the_breaker_the_same_experiment_deviates(unlucky: dict[str, Played]) -> None:
    """The reads go on failing with 429: that is what the breaker is worth. Exit code 1."""
    done, folder = unlucky["no-breaker"]
    verdict = verdict_of(folder)
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


def test_an_abort_condition_ends_the_run_before_the_fault(unlucky: dict[str, Played]) -> None:
    """A system that is not well by itself is not broken further: inconclusive, no fault applied."""
    done, folder = unlucky["unwell"]
    assert done.returncode == 2, done.stdout + done.stderr
    assert '"action":"applied"' not in last_run(folder).events.read_text()
    assert any("abort condition" in reason for reason in verdict_of(folder).reasons)
