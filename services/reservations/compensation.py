"""Gives back what a failed saga took: outside the request, past the breakers, until it holds.

A round ends well before the saga's lease does. What a round could not give back, the recovery worker
takes up when the lease has run out, in this process or in another: nothing is ever dropped.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from services.kit.failures.failed import DatabaseFailed, Failed
from services.kit.patterns.retry import backoff_s
from services.kit.policy.sections import CompensationPolicy
from services.kit.telemetry.events import CompensationAttempted, Emit
from services.reservations.domain import Command, Outcome, Saga, advance
from services.reservations.journal import Journal, SagaLostError
from services.reservations.ports import Inventory, Payments, Spans

ROUND_S = 8.0
"""No attempt starts later than this; the last one may take 5 s more (the policy's limit), and the lease is 15 s."""
TASKS_MAX = 1_000
"""Above this the rest waits for its lease to run out: a bound on memory and on the callees' load."""


@dataclass(frozen=True, slots=True)
class Time:
    """Clock (seconds, monotonic), pause and chance, so that tests can hold all three."""

    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    draw: Callable[[], float]


@dataclass(slots=True)
class Compensator:
    """Runs compensations as tasks of this process. `policy` None: the pattern is off, nothing is given back."""

    policy: CompensationPolicy | None
    journal: Journal
    inventory: Inventory
    payments: Payments
    emit: Emit
    spans: Spans
    time: Time
    _tasks: set[asyncio.Task[bool]] = field(default_factory=set)

    @property
    def on(self) -> bool:
        """Whether failed sagas give back what they took."""
        return self.policy is not None

    @property
    def room(self) -> int:
        """How many more compensations may start now."""
        return TASKS_MAX - len(self._tasks)

    def start(self, saga: Saga) -> None:
        """Begin to give back what `saga`, which is COMPENSATING and ours, may have taken."""
        if self.policy is None or self.room <= 0:
            return
        task = asyncio.create_task(self.run(saga), name=f"compensate {saga.reservation_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def run(self, saga: Saga) -> bool:
        """Give back in one round; True when that is done and committed, or somebody else has."""
        give_up_at_s = self.time.clock() + ROUND_S
        with self.spans("compensate", saga.reservation_id):
            held = await asyncio.gather(
                self._until_held(Command.RELEASE_SEATS, saga, give_up_at_s),
                self._until_held(Command.REFUND, saga, give_up_at_s),
            )
            return all(held) and await self._finish(saga)

    async def _until_held(self, command: Command, saga: Saga, give_up_at_s: float) -> bool:
        if command is Command.REFUND and not saga.refund_due:
            return True
        if self.policy is None:
            return False
        attempt = 1
        while not await self._attempt(command, saga.reservation_id, attempt):
            pause_s = backoff_s(self.policy.backoff, attempt, self.time.draw)
            if self.time.clock() + pause_s >= give_up_at_s:
                return False
            await self.time.sleep(pause_s)
            attempt += 1
        return True

    async def _attempt(self, command: Command, reservation_id: str, attempt: int) -> bool:
        send = self.payments.refund if command is Command.REFUND else self.inventory.release
        try:
            await send(reservation_id, attempt)
        except Failed as failed:
            self.emit(CompensationAttempted(command, failed.mechanism))
            return False
        self.emit(CompensationAttempted(command, None))
        return True

    async def _finish(self, saga: Saga) -> bool:
        try:
            await self.journal.commit(saga, advance(saga.state, Outcome.OK))
        except SagaLostError:
            return True
        except DatabaseFailed:
            return False
        return True

    async def drain(self, limit_s: float) -> None:
        """Let running compensations end; cancel those that take longer. Recovery has the rest."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=limit_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
