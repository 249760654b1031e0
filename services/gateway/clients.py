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
from services.shop.wire import ReservationResponse, ReserveBody

CALLS: Calls = {
    GATEWAY_RESERVATIONS: [("POST", "/reserve"), ("GET", "/reservations/{reservation_id}")],
    GATEWAY_INVENTORY: [("GET", "/events/{event_id}")],
}


class EventResponse(msgspec.Struct, frozen=True):
    """An event's seats, as far as clients of the gateway get to know them."""

    event_id: str
    capacity: int
    available: int


class Reservations:
    """`gateway-reservations`. Every method raises CallFailed."""

    def __init__(self, link: Link, policy: LinkPolicy) -> None:
        self._link = link
        self._pipeline = link.pipeline(policy)

    async def reserve(self, body: ReserveBody, key: str, deadline: Deadline) -> ReservationResponse:
        """Reserve, charge and confirm; safe to repeat with the same `key`."""
        headers = {KEY_HEADER: key}
        request = Request("POST", "/reserve", ReservationResponse, body=body, headers=headers)
        return await self._link.call(request, self._pipeline, deadline)

    async def find(self, reservation_id: str, deadline: Deadline) -> ReservationResponse:
        """Read one reservation."""
        path = f"/reservations/{quote(reservation_id, safe='')}"
        request = Request("GET", "/reservations/{reservation_id}", ReservationResponse, path)
        return await self._link.call(request, self._pipeline, deadline)


class Inventory:
    """`gateway-inventory`, for reading. Every method raises CallFailed."""

    def __init__(self, link: Link, policy: LinkPolicy) -> None:
        self._link = link
        self._pipeline = link.pipeline(policy)

    async def event(self, event_id: str, deadline: Deadline) -> EventResponse:
        """Read one event."""
        path = f"/events/{quote(event_id, safe='')}"
        request = Request("GET", "/events/{event_id}", EventResponse, path)
        return await self._link.call(request, self._pipeline, deadline)
