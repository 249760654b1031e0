"""Writes a saga's transitions down by compare-and-set, as often as the database's retry policy allows."""

from dataclasses import dataclass

from services.kit.failures.failed import DatabaseFailed
from services.kit.patterns.deadline import Deadline
from services.kit.patterns.retry import Retry
from services.kit.telemetry.events import Emit
from services.reservations.domain import Decision, Failure, Saga, apply
from services.reservations.repository import Sagas
from services.reservations.saga_metrics import SagaTransitioned


class SagaLostError(Exception):
    """Another owner has taken the saga over; `found` is how it stands now, None: it is not there."""

    def __init__(self, found: Saga | None) -> None:
        super().__init__("another owner has taken this saga over")
        self.found = found


@dataclass(frozen=True, slots=True)
class TransitionLog:
    """Stores new sagas and commits transitions."""

    sagas: Sagas
    retry: Retry
    emit: Emit

    async def begin(self, saga: Saga, deadline: Deadline) -> Saga | None:
        """Store a new saga; return instead the one that holds its key, if one does.

        Raises DatabaseFailed; should the row exist all the same, recovery ends it: no step was sent. Raises
        SagaLostError when recovery has already done so.
        """
        holder = await self.retry.run(lambda _: self.sagas.begin(saga), deadline)
        if holder is None or holder.reservation_id != saga.reservation_id:
            return holder
        # An earlier attempt of ours, whose response was lost, has stored it.
        if (holder.state, holder.version) != (saga.state, saga.version):
            raise SagaLostError(holder)
        return None

    async def commit(
        self, before: Saga, decision: Decision, failure: Failure | None = None
    ) -> Saga:
        """Commit `decision`, and return the saga as it is then.

        Raises SagaLostError, or DatabaseFailed: not definite when any attempt may have been written.
        """
        after = apply(before, decision, failure)
        doubts: list[DatabaseFailed] = []

        async def attempt(number: int) -> None:
            try:
                await self._commit_once(before, after, decision.reason)
            except DatabaseFailed as failed:
                doubts.extend([failed] if not failed.definite else [])
                raise

        try:
            await self.retry.run(attempt, Deadline.unlimited())
        except DatabaseFailed as failed:
            raise doubts[0] if doubts else failed from None
        self.emit(SagaTransitioned(before.state, after.state))
        return after

    async def _commit_once(self, before: Saga, after: Saga, reason: str) -> None:
        if await self.sagas.commit(before, after, reason):
            return
        record = await self.sagas.find(before.reservation_id)
        found = record.saga if record else None
        # An earlier attempt of ours, whose response was lost, may have taken the version.
        if found is None or (found.state, found.version) != (after.state, after.version):
            raise SagaLostError(found)
