"""The clock of a run: one loop over sorted actions, each awaited until its offset or until ``stop`` is set.

There is one loop instead of a task per action, so that actions never overtake each other and a stop always comes
between two actions.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aguante.faults.planned_fault import PlannedFault
from aguante.plan.plan import Plan


@dataclass(frozen=True)
class ApplyFault:
    """Apply this fault at ``at_s``."""

    at_s: float
    fault: PlannedFault


@dataclass(frozen=True)
class UndoFault:
    """Undo this fault at ``at_s``."""

    at_s: float
    fault: PlannedFault


@dataclass(frozen=True)
class EndOfRun:
    """The last phase is over."""

    at_s: float


Action = ApplyFault | UndoFault | EndOfRun


def actions_of(plan: Plan) -> tuple[Action, ...]:
    """All actions of a plan in the order of their offsets; of two at the same time, undo comes first."""
    actions: list[Action] = [EndOfRun(plan.end_s)]
    for fault in plan.faults:
        actions += [ApplyFault(fault.start_s, fault), UndoFault(fault.end_s, fault)]
    rank = {UndoFault: 0, ApplyFault: 1, EndOfRun: 2}
    return tuple(sorted(actions, key=lambda action: (action.at_s, rank[type(action)])))


class Clock:
    """Seconds since t0. ``time.monotonic`` is one clock for all processes of a Linux or macOS machine."""

    def __init__(self, t0: float) -> None:
        self.t0 = t0

    def now_s(self) -> float:
        """Seconds since t0; negative before it."""
        return time.monotonic() - self.t0

    async def wait_until(self, at_s: float, stop: asyncio.Event) -> bool:
        """Wait until ``at_s`` seconds after t0; False as soon as ``stop`` is set."""
        if stop.is_set():
            return False
        try:
            async with asyncio.timeout(max(0.0, at_s - self.now_s())):
                await stop.wait()
        except TimeoutError:
            return True
        return False


async def play(
    actions: Sequence[Action],
    clock: Clock,
    stop: asyncio.Event,
    act: Callable[[Action], Awaitable[None]],
) -> bool:
    """Execute each action at its offset; return False if ``stop`` was set before the last one.

    Raises:
        FaultError: from ``act``; later actions are not executed.
    """
    for action in actions:
        if not await clock.wait_until(action.at_s, stop):
            return False
        await act(action)
    return True
