"""No fault remains, whatever ends a run, and what the run reports is true."""

import signal
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from real_runs import real_runs
from undo_harness import STAGES, WITH_PROCESSES, Run, interrupt

MOMENTS = (
    (signal.SIGINT, "boot"),
    (signal.SIGINT, "fault"),
    (signal.SIGTERM, "heal"),
    (signal.SIGTERM, "analysis"),
    (signal.SIGKILL, "boot"),
    (signal.SIGKILL, "fault"),
)
"""One of each kind; the storm has every signal in every stage."""
STORM = 20
AT_ONCE = 3


def interrupt_and_check(folder: Path, number: signal.Signals, stage: str, at: int = 0) -> None:
    """Play a run, interrupt it, and check what it left behind and reported."""
    run = Run.start(folder, text=WITH_PROCESSES)
    code = interrupt(run, stage, number, 1000 * number + at)
    if number == signal.SIGKILL:
        check_killed(stage, run, code)
    else:
        check_interrupted(stage, run, code)


def check_interrupted(stage: str, run: Run, code: int) -> None:
    """Healed, ended, and judged: an interrupted run is inconclusive, one that had ended keeps its verdict."""
    assert run.left_behind() == []
    verdict = run.verdict
    if verdict is None:
        assert code == 2, run.output()
        assert stage in ("boot", "baseline"), run.output()
        return
    assert code == verdict.exit_code, run.output()
    assert code in (0, 2), run.output()
    if code == 0:
        assert stage in ("analysis", "heal"), "an interrupted run was reported as held"
    applied = [fault for fault in verdict.faults if fault.actual_start_s is not None]
    assert all(fault.undone_verified for fault in applied)
    if stage == "fault":
        assert (code, verdict.verdict) == (2, "inconclusive")
        assert applied, "nothing was broken: this proves nothing"
        assert run.run_folder
        assert '"action":"verified"' in run.run_folder.events.read_text()


def check_killed(stage: str, run: Run, code: int) -> None:
    """After SIGKILL `aguante recover` heals and reports every fault, and leaves no process and no folder."""
    assert code in (-signal.SIGKILL, 0, 2)
    broken = run.still_broken()
    assert broken or stage != "fault", "nothing was broken: this proves nothing"
    done = run.recover()
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert all(f"{fault_id}: healed" in done.stdout for fault_id in broken), done.stdout
    assert run.left_behind(within_s=12) == []
    again = run.recover()
    assert (again.returncode, again.stdout) == (0, "nothing to heal\n")


interrupted = real_runs(
    "interrupted",
    {
        f"{number.name}-{stage}": partial(interrupt_and_check, number=number, stage=stage)
        for number, stage in MOMENTS
    },
)


@pytest.mark.parametrize(("number", "stage"), MOMENTS)
def test_whatever_ends_a_run_no_fault_remains(
    interrupted: Mapping[str, None], number: signal.Signals, stage: str
) -> None:
    """At a random moment of the stage; after SIGKILL, once `aguante recover` has run."""
    assert interrupted[f"{number.name}-{stage}"] is None


@pytest.mark.nightly("60 runs, three at once")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_undo_storm(tmp_path: Path, number: signal.Signals) -> None:
    """Twenty moments of each signal, four in each stage (`make undo-storm`)."""

    def one(at: int) -> None:
        stage = STAGES[at % len(STAGES)]
        interrupt_and_check(tmp_path / f"{at:02d}-{stage}", number, stage, at)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, range(STORM)))
