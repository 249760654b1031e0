"""Notices that were not sent with the response: delivered later, at least once each.

The notice is stored in the same transaction that confirms, so a crash at any moment loses none. It becomes due a while
later, unless it was sent inline and marked by then.
"""

import asyncio
from dataclasses import dataclass, field, replace

from services.kit.failures.failed import Failed
from services.kit.patterns.deadline import Deadline
from services.kit.telemetry.tracing import Tracing
from services.reservations.clients import Notifications
from services.reservations.domain import Notice, Saga
from services.reservations.repository import Sagas

BATCH_MAX = 4
"""Fewer than the bulkhead has slots, so that the backlog leaves some to new reservations."""
MARKS_MAX = 10_000


@dataclass(slots=True)
class SentMarks:
    """Notices that were sent inline and are not marked yet: written in batches, off the request's path.

    A mark that is lost costs a second delivery, never a missing one.
    """

    sagas: Sagas
    _waiting: dict[str, None] = field(default_factory=dict)

    def add(self, reservation_id: str) -> None:
        """Remember to mark one; beyond the limit it is dropped, and the notice delivered again."""
        if len(self._waiting) < MARKS_MAX:
            self._waiting[reservation_id] = None

    def applied(self, saga: Saga) -> Saga:
        """Return `saga` with a mark that is not written yet, so that a replay responds with the same."""
        marked = saga.reservation_id in self._waiting
        return replace(saga, notification_sent=True) if marked else saga

    async def flush(self) -> None:
        """Write the marks; those that fail wait on. Raises DatabaseFailed."""
        batch = list(self._waiting)
        if not batch:
            return
        await self.sagas.mark_sent_inline(batch)
        for reservation_id in batch:
            self._waiting.pop(reservation_id, None)


@dataclass(frozen=True, slots=True)
class OutboxWorker:
    """Delivers the notices that are due."""

    sagas: Sagas
    notifications: Notifications
    tracing: Tracing

    async def deliver_due(self) -> None:
        """Send what is due, batch by batch, until one of a batch fails or none is left. Raises DatabaseFailed."""
        while True:
            notices = await self.sagas.claim_due(BATCH_MAX)
            sent = await asyncio.gather(*(self._deliver(notice) for notice in notices))
            delivered = [n.reservation_id for n, ok in zip(notices, sent, strict=True) if ok]
            if delivered:
                await self.sagas.mark_delivered(delivered)
            if len(delivered) < BATCH_MAX:
                return

    async def _deliver(self, notice: Notice) -> bool:
        attributes = {"aguante.reservation_id": notice.reservation_id}
        with self.tracing.internal("deliver outbox", attributes, link_to=notice.trace):
            try:
                await self.notifications.notify(notice, Deadline.unlimited())
            except Failed:
                return False
            return True
