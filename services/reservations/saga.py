"""One reservation, step by step: call, decide, commit, and only then go on.

A runner that loses a compare-and-set stops at once: another owner has taken the saga over. A client that hangs up
cancels nothing, and nothing waits for a compensation.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from services.kit.failures.failed import DatabaseFailed, Failed, problem_from
from services.kit.failures.problem import Problem
from services.kit.patterns.deadline import Deadline
from services.reservations.clients import Inventory, Notifications, Payments
from services.reservations.compensation import Compensator
from services.reservations.domain import (
    UNNOTIFIED,
    Decision,
    Failure,
    Notice,
    Outcome,
    Saga,
    State,
    advance,
)
from services.reservations.outbox import SentMarks
from services.reservations.responses import replay, respond
from services.reservations.transition_log import SagaLostError, TransitionLog


@dataclass(frozen=True, slots=True)
class SagaRunner:
    """Takes reservations through all their steps; `running`: the sagas that have not ended yet."""

    log: TransitionLog
    inventory: Inventory
    payments: Payments
    notifications: Notifications
    compensator: Compensator
    marks: SentMarks
    degrade: bool
    """Whether the reservation stands when its notice cannot be sent; else sending it is a step before CONFIRMED."""
    running: set[asyncio.Task[Saga]] = field(default_factory=set)

    async def place_shielded(self, saga: Saga, deadline: Deadline) -> Saga:
        """Do as `place` does, to the end even if the caller is cancelled."""
        task = asyncio.create_task(self.place(saga, deadline))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return await asyncio.shield(task)

    async def place(self, saga: Saga, deadline: Deadline) -> Saga:
        """Run a new saga to its end, or replay the one that holds its key; return it CONFIRMED.

        Raises Problem for everything else, each with `definite` and `settled`.
        """
        try:
            holder = await self._begin(saga, deadline)
            if holder is not None:
                return replay(self.marks.applied(holder), saga.order)
            saga = await self._run(saga, deadline)
        except SagaLostError as lost:
            saga = lost.found or saga
        return respond(saga)

    async def _begin(self, saga: Saga, deadline: Deadline) -> Saga | None:
        try:
            return await self.log.begin(saga, deadline)
        except DatabaseFailed as failed:
            # No step was sent and none will be, whether the row is there or not.
            raise _problem(failed, saga, definite=True) from failed

    async def _run(self, saga: Saga, deadline: Deadline) -> Saga:
        saga = await self._step(saga, lambda: self.inventory.reserve(saga, deadline))
        if saga.state is State.RESERVED:
            saga = await self._step(saga, lambda: self.payments.pay(saga, deadline))
        if saga.state is not State.CHARGED:
            return saga
        return await (self._confirm if self.degrade else self._confirm_strictly)(saga, deadline)

    async def _step(self, saga: Saga, call: Callable[[], Awaitable[None]]) -> Saga:
        try:
            await call()
        except Failed as failed:
            outcome = Outcome.DEFINITE if failed.definite else Outcome.INDEFINITE
            return await self._fail(saga, failed, advance(saga.state, outcome))
        return await self._advance(saga)

    async def _confirm(self, saga: Saga, deadline: Deadline) -> Saga:
        saga = await self._advance(saga)
        try:
            await self._notify(saga, deadline)
        except Failed:
            return saga  # the reservation stands; its notice waits in the outbox
        return self._notified(saga)

    async def _confirm_strictly(self, saga: Saga, deadline: Deadline) -> Saga:
        try:
            await self._notify(saga, deadline)
        except Failed as failed:
            return await self._fail(saga, failed, UNNOTIFIED)
        return self._notified(await self._advance(saga))

    async def _advance(self, saga: Saga) -> Saga:
        try:
            return await self.log.commit(saga, advance(saga.state, Outcome.OK))
        except DatabaseFailed as failed:
            raise _problem(failed, saga, definite=False) from failed

    async def _fail(self, saga: Saga, failed: Failed, decision: Decision) -> Saga:
        failure = _failure(problem_from(failed))
        try:
            saga = await self.log.commit(saga, self.compensator.allowed(decision), failure)
        except DatabaseFailed as unwritten:
            # The client gets the step's own failure, not definite because it is not on record: recovery decides.
            raise _problem(failed, saga, definite=False) from unwritten
        if saga.state is State.COMPENSATING:
            self.compensator.start(saga)
        return saga

    async def _notify(self, saga: Saga, deadline: Deadline) -> None:
        notice = Notice(saga.reservation_id, saga.order, saga.trace)
        await self.notifications.notify(notice, deadline)

    def _notified(self, saga: Saga) -> Saga:
        self.marks.add(saga.reservation_id)
        return replace(saga, notification_sent=True)


def _problem(failed: Failed, saga: Saga, *, definite: bool) -> Problem:
    problem = problem_from(failed, reservation_id=saga.reservation_id)
    problem.definite = problem.settled = definite
    return problem


def _failure(problem: Problem) -> Failure:
    return Failure(
        problem.status,
        problem.mechanism,
        problem.origin,
        problem.link,
        problem.detail,
        problem.retry_after_s,
    )
