"""No fault remains on a testbed that outlives the run, whatever ends the run.

Only faults on links: the processes of a native testbed belong to the runner that started it, so a run that attaches
to one and breaks a process is refused. `tests/containers/test_compose_runs.py` kills the runner on containers.
"""

import signal
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from attached_harness import DetachedTestbed, detached_testbed, left_of
from real_runs import real_runs
from undo_harness import STAGES, Run, interrupt

INTERRUPTED = ((signal.SIGTERM, "heal"), (signal.SIGKILL, "fault"))
STORM = 20
LANES = 3
Moment = tuple[signal.Signals, str]


def interrupt_all(testbed: DetachedTestbed, folder: Path, moments: list[tuple[int, Moment]]) -> int:
    """One run after the other, each checked before the next begins; how many left a fault to recover."""
    broke = 0
    for at, (number, stage) in moments:
        run = testbed.start_run(folder / f"{at:02d}-{stage}")
        interrupt(run, stage, number, 2000 * number + at)
        broke += check(testbed, run, stage, number)
    return broke


def check(testbed: DetachedTestbed, run: Run, stage: str, number: signal.Signals) -> bool:
    """The testbed is unchanged: at once, or after SIGKILL once `aguante recover` has run."""
    broken = run.still_broken()
    if number != signal.SIGKILL:
        assert broken == [], run.output()
        assert testbed.changed() == []
        assert left_of(run) == []
        return False
    if stage == "fault":
        assert len(testbed.changed()) == len(broken) == 2, "nothing was broken: this proves nothing"
    done = run.recover(testbed.home)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert all(f"{fault_id}: healed: restored" in done.stdout for fault_id in broken), done.stdout
    assert testbed.changed() == []
    assert left_of(run) == []
    again = run.recover(testbed.home)
    assert (again.returncode, again.stdout) == (0, "nothing to heal\n")
    return bool(broken)


def interrupt_two(folder: Path) -> int:
    with detached_testbed() as testbed:
        return interrupt_all(testbed, folder, list(enumerate(INTERRUPTED)))


def storm_lane(folder: Path, number: signal.Signals, lane: int) -> int:
    moments = [(at, (number, STAGES[at % len(STAGES)])) for at in range(STORM)]
    with detached_testbed() as testbed:
        return interrupt_all(testbed, folder, moments[lane::LANES])


attached_runs = real_runs("attached_runs", {"interrupted": interrupt_two})


def test_an_attached_testbed_is_unchanged_whatever_ended_the_run(
    attached_runs: Mapping[str, int],
) -> None:
    """No toxic, no disabled proxy, no paused or ended process, the same policy."""
    assert attached_runs["interrupted"] == 1


@pytest.mark.nightly("60 runs, one after the other in three lanes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_undo_storm_on_an_attached_testbed(tmp_path: Path, number: signal.Signals) -> None:
    """Twenty moments of each signal, four in each stage, on three testbeds (`make undo-storm`)."""
    with ThreadPoolExecutor(LANES) as pool:
        broke = sum(pool.map(partial(storm_lane, tmp_path, number), range(LANES)))
    assert broke or number != signal.SIGKILL
