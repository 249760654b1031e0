"""One reservation, step by step: call, decide, commit, and only then go on.

Whoever loses a compare-and-set stops at once: another owner has taken the saga over. Nothing here is
cancelled by a client that hangs up (`handlers.py` shields it), and nothing waits for a compensation.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from services.kit.failures.failed import DatabaseFailed, Failed, problem_from
from services.kit.failures.problem import Problem
from services.kit.patterns.deadline import Deadline
from services.reservations.answers import answer, replay
from services.reservations.compensation import Compensator
from services.reservations.domain import (
    UNNOTIFIED,
    Command,
    Decision,
    Failure,
    Outcome,
    Saga,
    State,
    advance,
    without_compensation,
)
from services.reservations.journal import Journal, SagaLostError
from services.reservations.outbox import SentMarks
from services.reservations.ports import Inventory, Notice, Notifications, Payments


@dataclass(frozen=True, slots=True)
class SagaRunner:
    """Takes a reservation through all its steps."""

    journal: Journal
    inventory: Inventory
    payments: Payments
    notifications: Notifications
    compensator: Compensator
    marks: SentMarks
    degrade: bool
    """Whether the reservation stands when its user cannot be told; else telling is a step before CONFIRMED."""

    async def place(self, saga: Saga, deadline: Deadline) -> Saga:
        """Run a new saga to its end, or replay the one that holds its key; return it CONFIRMED.

        Raises Problem for everything else, each saying whether it is definite and settled.
        """
        try:
            holder = await self._begin(saga, deadline)
            if holder is not None:
                return replay(self.marks.applied(holder), saga.order)
            saga = await self._run(saga, deadline)
        except SagaLostError as lost:
            saga = lost.found or saga
        return answer(saga)

    async def _run(self, saga: Saga, deadline: Deadline) -> Saga:
        saga = await self._step(saga, lambda: self.inventory.reserve(saga, deadline))
        if saga.state is State.RESERVED:
            saga = await self._take_payment(saga, deadline)
        return await (self._confirm if self.degrade else self._confirm_strictly)(saga, deadline)

    async def _confirm(self, saga: Saga, deadline: Deadline) -> Saga:
        if saga.state is State.CHARGED:
            saga = await self._commit(saga, advance(saga.state, Outcome.OK))
        if saga.state is not State.CONFIRMED:
            return saga
        try:
            await self._notify(saga, deadline)
        except Failed:
            return saga  # the reservation stands; its notice waits in the outbox
        return self._told(saga)

    async def _confirm_strictly(self, saga: Saga, deadline: Deadline) -> Saga:
        if saga.state is not State.CHARGED:
            return saga
        try:
            await self._notify(saga, deadline)
        except Failed as failed:
            return await self._fail(saga, failed, UNNOTIFIED)
        return self._told(await self._commit(saga, advance(saga.state, Outcome.OK)))

    async def _take_payment(self, saga: Saga, deadline: Deadline) -> Saga:
        return await self._step(saga, lambda: self.payments.pay(saga, deadline))

    async def _begin(self, saga: Saga, deadline: Deadline) -> Saga | None:
        try:
            return await self.journal.begin(saga, deadline)
        except DatabaseFailed as failed:
            # No step was sent and none will be, whether the row is there or not.
            problem = problem_from(failed, reservation_id=saga.reservation_id)
            problem.definite = problem.settled = True
            raise problem from failed

    async def _step(self, saga: Saga, call: Callable[[], Awaitable[None]]) -> Saga:
        try:
            await call()
        except Failed as failed:
            outcome = Outcome.DEFINITE if failed.definite else Outcome.INDEFINITE
            return await self._fail(saga, failed, advance(saga.state, outcome))
        return await self._commit(saga, advance(saga.state, Outcome.OK))

    async def _fail(self, saga: Saga, failed: Failed, decision: Decision) -> Saga:
        problem = problem_from(failed, reservation_id=saga.reservation_id)
        taken = decision.to is State.COMPENSATING
        if not self.compensator.on:
            decision = without_compensation(decision)
        try:
            saga = await self.journal.commit(saga, decision, _failure(problem))
        except DatabaseFailed as unwritten:
            # The step's own failure is what the client is told; that nobody could write it down
            # makes it indefinite, and recovery's business.
            problem.definite = problem.settled = False
            raise problem from unwritten
        if taken and not self.compensator.on:
            problem.definite, problem.settled = True, False
            raise problem
        if Command.RELEASE_SEATS in decision.commands:
            self.compensator.start(saga)
        return saga

    async def _commit(self, saga: Saga, decision: Decision) -> Saga:
        try:
            return await self.journal.commit(saga, decision)
        except DatabaseFailed as failed:
            problem = problem_from(failed, reservation_id=saga.reservation_id)
            problem.definite = problem.settled = False
            raise problem from failed

    async def _notify(self, saga: Saga, deadline: Deadline) -> None:
        notice = Notice(saga.reservation_id, saga.order, saga.trace)
        await self.notifications.notify(notice, deadline)

    def _told(self, saga: Saga) -> Saga:
        self.marks.add(saga.reservation_id)
        return replace(saga, notification_sent=True)


def _failure(problem: Problem) -> Failure:
    return Failure(
        problem.status,
        problem.mechanism,
        problem.origin,
        problem.link,
        problem.detail,
        problem.retry_after_s,
    )
