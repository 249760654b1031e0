"""Undo survives anything on a testbed that outlives the run, where nothing is healed by ending it.

Faults on links alone: of plain processes only whoever started them can undo the rest, and a run that asks for
it is refused. On a borrowed stack of containers `tests/containers/test_compose_runs.py` kills the runner.
"""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from borrowed_harness import Borrowed, left_of, lent
from undo_harness import STAGES, Run, recover, strike

pytestmark = pytest.mark.alone

STRUCK = ((signal.SIGTERM, "heal"), (signal.SIGKILL, "fault"))
"""Some ten seconds each, one after the other; the storm has the rest."""
STORM = 20
LANES = 3
Blow = tuple[signal.Signals, str]


def strike_all(borrowed: Borrowed, folder: Path, blows: list[tuple[int, Blow]]) -> int:
    """One run after the other, each checked before the next begins; returns how many broke something."""
    broke = 0
    for at, (number, stage) in blows:
        run = borrowed.borrow(folder / f"{at:02d}-{stage}")
        strike(run, stage, number, 2000 * number + at)
        broke += check(borrowed, run, stage, number)
    return broke


def check(borrowed: Borrowed, run: Run, stage: str, number: signal.Signals) -> bool:
    """The testbed is as it was: at once, or where the run was killed after `aguante recover`."""
    broken = run.still_broken()
    if number != signal.SIGKILL:
        assert broken == [], run.output()
        assert borrowed.changed() == []
        assert left_of(run) == []
        return False
    if stage == "fault":
        assert len(borrowed.changed()) == len(broken) == 2, (
            "nothing was broken: this would prove nothing"
        )
    done = recover(run.folder, borrowed.home)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert all(f"{fault_id}: healed: restored" in done.stdout for fault_id in broken), done.stdout
    assert borrowed.changed() == []
    assert left_of(run) == []
    again = recover(run.folder, borrowed.home)
    assert (again.returncode, again.stdout) == (0, "nothing to heal\n")
    return bool(broken)


@pytest.mark.slow
def test_a_borrowed_testbed_is_as_before_whatever_ended_the_run(tmp_path: Path) -> None:
    """No toxic, no disabled proxy, no process that stands still or has ended, the same policy."""
    with lent() as borrowed:
        assert strike_all(borrowed, tmp_path, list(enumerate(STRUCK)))


@pytest.mark.undo_storm
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_undo_storm_on_a_borrowed_testbed(tmp_path: Path, number: signal.Signals) -> None:
    """Twenty moments of each signal, four in each stage, on three testbeds (`make undo-storm`)."""
    blows = [(at, (number, STAGES[at % len(STAGES)])) for at in range(STORM)]

    def lane(at: int) -> int:
        with lent() as borrowed:
            return strike_all(borrowed, tmp_path, blows[at::LANES])

    with ThreadPoolExecutor(LANES) as pool:
        broke = sum(pool.map(lane, range(LANES)))
    assert broke or number != signal.SIGKILL
