"""Notices that did not go out with the answer: delivered later, at least once each.

The notice is stored in the same transaction that confirms, so a crash at any moment loses none. It becomes
due a while later, unless it was sent inline and marked by then.
"""

import logging
from dataclasses import dataclass, field, replace

from services.kit.deadline import Deadline
from services.kit.failures import Failed
from services.reservations.domain import Saga
from services.reservations.ports import Notice, Notifications, Outbox

BATCH_MAX = 50
MARKS_MAX = 10_000
log = logging.getLogger(__name__)


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

    async def deliver_due(self) -> int:
        """Send one batch, and return how many went out. Raises DatabaseFailed."""
        delivered = []
        for notice in await self.outbox.claim_due(BATCH_MAX):
            if not await self._deliver(notice):
                break  # the callee is in trouble: the rest of the batch comes due again
            delivered.append(notice.reservation_id)
        if delivered:
            await self.outbox.mark_delivered(delivered)
        return len(delivered)

    async def _deliver(self, notice: Notice) -> bool:
        try:
            await self.notifications.notify(notice, Deadline.unlimited())
        except Failed:
            return False
        return True
