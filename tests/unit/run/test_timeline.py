"""The clock of a run."""

import asyncio
import time

import pytest

from aguante.faults.planned_fault import PlannedFault
from aguante.faults.toxiproxy import ToxiproxyFault
from aguante.plan.plan import Plan, PlannedLoad, PlannedSetup, Window
from aguante.plan.schedule import Action, ApplyFault, Clock, EndOfRun, UndoFault, actions_of, play


def fault(fault_id: str, start_s: float, end_s: float) -> PlannedFault:
    return PlannedFault(
        id=fault_id,
        fault=ToxiproxyFault(link="reservations-payments", toxic="down"),
        start_s=start_s,
        end_s=end_s,
    )


def plan(*faults: PlannedFault) -> Plan:
    return Plan(
        run_id="r",
        experiment="e",
        title="t",
        learn="l",
        source="e.yaml",
        policy="default",
        seed=1,
        setup=PlannedSetup(events=10, capacity=1000),
        expect=(),
        phases=(Window(phase="baseline", start_s=0, end_s=4),),
        faults=faults,
        load=PlannedLoad(profile="mixed", rate_rps=1, duration_s=4, mix=(("reserve", 1.0),)),
    )


def test_actions_come_in_the_order_of_their_offsets() -> None:
    """Apply, undo and the end of the run are sorted by time, whatever the order of the file."""
    actions = actions_of(plan(fault("late", 2, 3), fault("early", 1, 4)))
    assert [(type(a).__name__, a.at_s) for a in actions] == [
        ("ApplyFault", 1),
        ("ApplyFault", 2),
        ("UndoFault", 3),
        ("UndoFault", 4),
        ("EndOfRun", 4),
    ]


def test_of_two_actions_at_one_moment_undo_comes_first() -> None:
    """Two consecutive faults on one link are never active at the same time."""
    actions = actions_of(plan(fault("second", 2, 3), fault("first", 1, 2)))
    at_two = [a for a in actions if a.at_s == 2]
    assert [type(a) for a in at_two] == [UndoFault, ApplyFault]


async def test_a_stop_ends_the_play_between_two_actions() -> None:
    """After ``stop`` no further action begins, and ``play`` returns False."""
    stop = asyncio.Event()
    begun: list[Action] = []

    async def act(action: Action) -> None:
        begun.append(action)
        stop.set()

    whole = await play((EndOfRun(0), EndOfRun(60)), Clock(time.monotonic()), stop, act)
    assert not whole
    assert begun == [EndOfRun(0)]


async def test_a_complete_play_returns_true() -> None:
    """Every action is carried out, in order."""
    begun: list[Action] = []

    async def act(action: Action) -> None:
        begun.append(action)

    actions = (EndOfRun(-2), EndOfRun(-1))
    assert await play(actions, Clock(time.monotonic()), asyncio.Event(), act)
    assert begun == list(actions)


async def test_an_action_that_fails_ends_the_play() -> None:
    """The error reaches the runner, which heals; later actions do not begin."""

    async def act(action: Action) -> None:
        raise ValueError(str(action.at_s))

    with pytest.raises(ValueError, match="-2"):
        await play((EndOfRun(-2), EndOfRun(-1)), Clock(time.monotonic()), asyncio.Event(), act)
