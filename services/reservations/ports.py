"""What the saga needs of the outside, so that tests can drive it with fakes."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from services.kit.patterns.deadline import Deadline
from services.reservations.domain import Order, Saga, Trace


@dataclass(frozen=True, slots=True)
class Notice:
    """What a confirmed reservation's user is told."""

    reservation_id: str
    order: Order
    trace: Trace


@dataclass(frozen=True, slots=True)
class Record:
    """A saga as it is stored, and whether its notice has gone out since."""

    saga: Saga
    notice_delivered: bool


class Spans(Protocol):
    """Makes an INTERNAL span around work that nobody waits for."""

    def __call__(
        self, name: str, reservation_id: str, begun_by: Trace | None = None
    ) -> AbstractContextManager[object]:
        """Return its context; with `begun_by` it is a trace of its own, linked to that request's."""


class Inventory(Protocol):
    """Seats. Both raise CallFailed, and both may be repeated at will."""

    async def reserve(self, saga: Saga, deadline: Deadline) -> None:
        """Hold the saga's seats."""

    async def release(self, reservation_id: str, attempt: int) -> None:
        """Give the seats back, or forbid them to a reserve that is still under way."""


class Payments(Protocol):
    """Money. Both raise CallFailed, and both may be repeated at will."""

    async def pay(self, saga: Saga, deadline: Deadline) -> None:
        """Charge the saga's user."""

    async def refund(self, reservation_id: str, attempt: int) -> None:
        """Give the money back, or forbid it to a payment that is still under way."""


class Notifications(Protocol):
    """The non-critical callee."""

    async def notify(self, notice: Notice, deadline: Deadline) -> None:
        """Tell the user; raises CallFailed."""


class Sagas(Protocol):
    """The durable saga log. All raise DatabaseFailed."""

    async def begin(self, saga: Saga) -> Saga | None:
        """Store a new saga; return instead the saga that has its id, or else its idempotency key."""

    async def commit(self, before: Saga, after: Saga, reason: str) -> bool:
        """Replace `before` by `after` if `before` is still what is stored; log it in the same breath."""

    async def find(self, reservation_id: str) -> Record | None:
        """Read one saga."""

    async def claim_expired(self, limit: int) -> list[Saga]:
        """Take over up to `limit` live sagas whose lease has run out."""


class Outbox(Protocol):
    """Notices of confirmed reservations that nobody has delivered yet. All raise DatabaseFailed."""

    async def claim_due(self, limit: int) -> list[Notice]:
        """Take up to `limit` notices whose time has come; each comes back later unless delivered."""

    async def mark_delivered(self, reservation_ids: list[str]) -> None:
        """Record that these notices went out."""

    async def mark_sent_inline(self, reservation_ids: list[str]) -> None:
        """Record that these notices went out, and that the client was told so in its answer."""
