"""Notices that did not go out with the answer: delivered later, at least once each.

The notice is stored in the same transaction that confirms, so a crash at any moment loses none. It becomes
due a while later, unless it was sent inline and marked by then.
"""

import asyncio
from dataclasses import dataclass, field, replace

from services.kit.failures.failed import Failed
from services.kit.patterns.deadline import Deadline
from services.reservations.domain import Saga
from services.reservations.ports import Notice, Notifications, Outbox, Spans

BATCH_MAX = 4
"""Fewer than the bulkhead has slots, so that the backlog leaves some to fresh reservations."""
MARKS_MAX = 10_000


@dataclass(slots=True)
class SentMarks:
    """Notices sent inline whose row does not say so yet: written in batches, off the request's path.

    A mark that is lost costs a second delivery, never a missing one.
    """

    outbox: Outbox
    _waiting: dict[str, None] = field(default_factory=dict)

    def add(self, reservation_id: str) -> None:
        """Remember to mark one; beyond the limit it is dropped, and the notice delivered again."""
        if len(self._waiting) < MARKS_MAX:
            self._waiting[reservation_id] = None

    def applied(self, saga: Saga) -> Saga:
        """Return `saga` with a mark that may still be waiting here, so that a replay answers the same."""
        return (
            replace(saga, notification_sent=True) if saga.reservation_id in self._waiting else saga
        )

    async def flush(self) -> None:
        """Write what is waiting; what fails waits on. Raises DatabaseFailed."""
        batch = list(self._waiting)
        if not batch:
            return
        await self.outbox.mark_sent_inline(batch)
        for reservation_id in batch:
            self._waiting.pop(reservation_id, None)


@dataclass(frozen=True, slots=True)
class OutboxWorker:
    """Delivers what is due."""

    outbox: Outbox
    notifications: Notifications
    spans: Spans

    async def deliver_due(self) -> None:
        """Send what is due, batch by batch, until a batch does not go out whole. Raises DatabaseFailed."""
        while True:
            notices = await self.outbox.claim_due(BATCH_MAX)
            went_out = await asyncio.gather(*(self._deliver(notice) for notice in notices))
            delivered = [n.reservation_id for n, ok in zip(notices, went_out, strict=True) if ok]
            if delivered:
                await self.outbox.mark_delivered(delivered)
            if len(delivered) < BATCH_MAX:
                return

    async def _deliver(self, notice: Notice) -> bool:
        with self.spans("deliver outbox", notice.reservation_id, notice.trace):
            try:
                await self.notifications.notify(notice, Deadline.unlimited())
            except Failed:
                return False
            return True
