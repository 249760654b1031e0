"""The gateway's two callees, and the resilience pipeline of each call."""

from typing import TypeVar
from urllib.parse import quote

import msgspec

from services.kit.failures.expected import NO_ANSWER, OF_READS, OF_WRITES
from services.kit.failures.problem import Mechanism
from services.kit.http.client import Link, Request
from services.kit.patterns.breaker import Breaker
from services.kit.patterns.bulkhead import Bulkhead
from services.kit.patterns.deadline import Deadline
from services.kit.patterns.retry import Retry
from services.kit.policy.sections import LinkPolicy
from services.kit.telemetry.telemetry import Telemetry

T = TypeVar("T")


class Order(msgspec.Struct, frozen=True):
    """What reservations is asked for."""

    user_id: str
    event_id: str
    quantity: int


class Notification(msgspec.Struct, frozen=True):
    """Whether the user was told; false means that it is on its way (outbox)."""

    sent: bool


class Failure(msgspec.Struct, frozen=True):
    """Why a reservation failed, as the problem of its first answer said it."""

    status: int
    mechanism: str
    origin: str
    link: str | None
    detail: str


class Reservation(msgspec.Struct, frozen=True):
    """A reservation as reservations tells of it."""

    reservation_id: str
    state: str
    user_id: str
    event_id: str
    quantity: int
    amount_cents: int
    notification: Notification
    failure: Failure | None


class Event(msgspec.Struct, frozen=True):
    """An event as inventory tells of it."""

    event_id: str
    capacity: int
    available: int


class _Callee:
    """One link with its patterns."""

    def __init__(self, link: Link, policy: LinkPolicy, telemetry: Telemetry) -> None:
        self._link = link
        self._timeout_s = policy.timeout_s
        self._retry = Retry(link.name, policy.retry, telemetry.emit)
        self._breaker = Breaker(link.name, policy.breaker, telemetry.emit)
        self._bulkhead = Bulkhead(link.name, policy.bulkhead, telemetry.emit)

    async def _call(self, request: Request[T], deadline: Deadline) -> T:
        # Outermost first: deadline > retry > breaker > bulkhead > timeout.
        return await self._retry.run(
            lambda attempt: self._breaker.run(
                lambda: self._bulkhead.run(
                    lambda: self._link.call(request, deadline, self._timeout_s, attempt)
                )
            ),
            deadline,
        )


class Reservations(_Callee):
    """``gateway-reservations``. Every method raises ``CallFailed``."""

    async def reserve(self, order: Order, key: str, deadline: Deadline) -> Reservation:
        """Reserve, charge and confirm; safe to repeat with the same ``key``."""
        headers = {"Idempotency-Key": key}
        request = Request("POST", "/reserve", Reservation, body=order, headers=headers)
        return await self._call(request, deadline)

    async def find(self, reservation_id: str, deadline: Deadline) -> Reservation:
        """Return what became of a reservation."""
        path = f"/reservations/{quote(reservation_id, safe='')}"
        request = Request("GET", "/reservations/{reservation_id}", Reservation, path)
        return await self._call(request, deadline)


class Inventory(_Callee):
    """``gateway-inventory``, for reading. Every method raises ``CallFailed``."""

    async def event(self, event_id: str, deadline: Deadline) -> Event:
        """Return an event's seats."""
        path = f"/events/{quote(event_id, safe='')}"
        return await self._call(Request("GET", "/events/{event_id}", Event, path), deadline)


CALLS = (
    (
        *("gateway-reservations", "POST", "/reserve"),
        (
            *(Mechanism.PAYMENT_DECLINED, Mechanism.SOLD_OUT),
            *(Mechanism.BREAKER_OPEN, *NO_ANSWER, *OF_WRITES[1:]),
        ),
    ),
    ("gateway-reservations", "GET", "/reservations/{reservation_id}", OF_READS),
    ("gateway-inventory", "GET", "/events/{event_id}", OF_READS),
)
"""Link, method, route, and the failures that the callee answers (a test holds them to the callee's own list)."""
