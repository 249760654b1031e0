"""The calls that the gateway makes. Each passes all layers of its link's pipeline, as far as the policy has them on:

deadline > retry > breaker > bulkhead > timeout (`services/kit/patterns/pipeline.py`).
"""

from urllib.parse import quote

import msgspec

from services.kit.http.client import Link, Request
from services.kit.patterns.deadline import Deadline
from services.kit.policy.sections import LinkPolicy
from services.shop.expected import Calls
from services.shop.fields import KEY_HEADER
from services.shop.links import GATEWAY_INVENTORY, GATEWAY_RESERVATIONS

CALLS: Calls = {
    GATEWAY_RESERVATIONS: [("POST", "/reserve"), ("GET", "/reservations/{reservation_id}")],
    GATEWAY_INVENTORY: [("GET", "/events/{event_id}")],
}


class Order(msgspec.Struct, frozen=True):
    """The body of reservations' `POST /reserve`."""

    user_id: str
    event_id: str
    quantity: int


class Notification(msgspec.Struct, frozen=True):
    """Whether the user's notice was sent; false: it is waiting in the outbox."""

    sent: bool


class Failure(msgspec.Struct, frozen=True):
    """Why a reservation failed."""

    status: int
    mechanism: str
    origin: str
    link: str | None
    detail: str


class Reservation(msgspec.Struct, frozen=True):
    """A reservation, as reservations responds with it."""

    reservation_id: str
    state: str
    user_id: str
    event_id: str
    quantity: int
    amount_cents: int
    notification: Notification
    failure: Failure | None


class Event(msgspec.Struct, frozen=True):
    """An event's seats, as inventory responds with them."""

    event_id: str
    capacity: int
    available: int


class Reservations:
    """`gateway-reservations`. Every method raises CallFailed."""

    def __init__(self, link: Link, policy: LinkPolicy) -> None:
        self._link = link
        self._pipeline = link.pipeline(policy)

    async def reserve(self, order: Order, key: str, deadline: Deadline) -> Reservation:
        """Reserve, charge and confirm; safe to repeat with the same `key`."""
        headers = {KEY_HEADER: key}
        request = Request("POST", "/reserve", Reservation, body=order, headers=headers)
        return await self._link.call(request, self._pipeline, deadline)

    async def find(self, reservation_id: str, deadline: Deadline) -> Reservation:
        """Read one reservation."""
        path = f"/reservations/{quote(reservation_id, safe='')}"
        request = Request("GET", "/reservations/{reservation_id}", Reservation, path)
        return await self._link.call(request, self._pipeline, deadline)


class Inventory:
    """`gateway-inventory`, for reading. Every method raises CallFailed."""

    def __init__(self, link: Link, policy: LinkPolicy) -> None:
        self._link = link
        self._pipeline = link.pipeline(policy)

    async def event(self, event_id: str, deadline: Deadline) -> Event:
        """Read one event."""
        path = f"/events/{quote(event_id, safe='')}"
        request = Request("GET", "/events/{event_id}", Event, path)
        return await self._link.call(request, self._pipeline, deadline)
