"""Gives back what a failed saga took: outside the request, past the breakers, until it succeeds.

A round ends well before the saga's lease does. What a round could not give back, the recovery worker takes up when
the lease has ended, in this process or in another: nothing is ever dropped.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from services.kit.failures.failed import DatabaseFailed, Failed
from services.kit.patterns.retry import backoff_s
from services.kit.policy.sections import Backoff
from services.kit.telemetry.events import Emit
from services.kit.telemetry.tracing import Tracing
from services.reservations.clients import Inventory, Payments
from services.reservations.domain import (
    Decision,
    Outcome,
    Saga,
    Undo,
    advance,
    without_compensation,
)
from services.reservations.saga_metrics import CompensationAttempted
from services.reservations.transition_log import SagaLostError, TransitionLog
from services.shop.policy import CompensationPolicy

ROUND_S = 8.0
"""No attempt starts later than this; the last one may take 5 s more (the policy's limit), and the lease is 15 s."""
TASKS_MAX = 1_000
"""Above this the rest waits for its lease to end: a bound on memory and on the callees' load."""


@dataclass(frozen=True, slots=True)
class Time:
    """Clock (seconds, monotonic), sleep and chance, so that tests can control all three."""

    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    draw: Callable[[], float]


@dataclass(slots=True)
class Compensator:
    """Runs compensations as tasks of this process. `policy` None: the pattern is off, nothing is given back."""

    policy: CompensationPolicy | None
    log: TransitionLog
    inventory: Inventory
    payments: Payments
    emit: Emit
    tracing: Tracing
    time: Time
    _tasks: set[asyncio.Task[bool]] = field(default_factory=set)

    @property
    def room(self) -> int:
        """How many more compensations may start now."""
        return TASKS_MAX - len(self._tasks)

    def allowed(self, decision: Decision) -> Decision:
        """Return `decision`, or what is left of it when the pattern is off."""
        return decision if self.policy is not None else without_compensation(decision)

    def start(self, saga: Saga) -> None:
        """Begin to undo what `saga`, which is COMPENSATING and ours, may have taken."""
        if self.policy is None or self.room <= 0:
            return
        task = asyncio.create_task(
            self._run(saga, self.policy.backoff), name=f"compensate {saga.reservation_id}"
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, saga: Saga, backoff: Backoff) -> bool:
        """Undo in one round; True when everything is undone and committed, or another owner has the saga."""
        give_up_at_s = self.time.clock() + ROUND_S
        with self.tracing.internal("compensate", {"aguante.reservation_id": saga.reservation_id}):
            done = await asyncio.gather(
                *(self._undo(step, saga, backoff, give_up_at_s) for step in saga.owed)
            )
            return all(done) and await self._finish(saga)

    async def _undo(self, step: Undo, saga: Saga, backoff: Backoff, give_up_at_s: float) -> bool:
        attempt = 1
        while not await self._attempt(step, saga.reservation_id, attempt):
            pause_s = backoff_s(backoff, attempt, self.time.draw)
            if self.time.clock() + pause_s >= give_up_at_s:
                return False
            await self.time.sleep(pause_s)
            attempt += 1
        return True

    async def _attempt(self, step: Undo, reservation_id: str, attempt: int) -> bool:
        send = self.payments.refund if step is Undo.REFUND else self.inventory.release
        try:
            await send(reservation_id, attempt)
        except Failed as failed:
            self.emit(CompensationAttempted(step, failed.mechanism))
            return False
        self.emit(CompensationAttempted(step, None))
        return True

    async def _finish(self, saga: Saga) -> bool:
        try:
            await self.log.commit(saga, advance(saga.state, Outcome.OK))
        except SagaLostError:
            return True
        except DatabaseFailed:
            return False
        return True

    async def drain(self, limit_s: float) -> None:
        """Let running compensations end; cancel those that take longer, and leave them to recovery."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=limit_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
