"""The calls that reservations makes. A step passes all layers of its link's pipeline, as far as the policy has them on:

deadline > retry > breaker > bulkhead > timeout (`services/kit/patterns/pipeline.py`).

A compensation passes only a timeout of its own, longer than a step's: no client waits for it, and its own backoff paces
it. It must get through when the breaker is open, because that is when it is needed.
"""

import msgspec

from services.kit.http.client import Link, Request
from services.kit.patterns.deadline import Deadline
from services.kit.policy.sections import LinkPolicy
from services.reservations.domain import Notice, Saga
from services.shop.expected import Calls
from services.shop.links import (
    RESERVATIONS_INVENTORY,
    RESERVATIONS_NOTIFICATIONS,
    RESERVATIONS_PAYMENTS,
)
from services.shop.policy import CompensationPolicy
from services.shop.wire import HoldBody, NotifyBody, PayBody, UndoBody

CALLS: Calls = {
    RESERVATIONS_INVENTORY: [("POST", "/reserve"), ("POST", "/release")],
    RESERVATIONS_PAYMENTS: [("POST", "/pay"), ("POST", "/refund")],
    RESERVATIONS_NOTIFICATIONS: [("POST", "/notify")],
}


def undo_policy(compensation: CompensationPolicy | None) -> LinkPolicy:
    """Return the layers of a compensation: a timeout and no other."""
    timeout_s = None if compensation is None else compensation.timeout_s
    return LinkPolicy(timeout_s=timeout_s, retry=None, breaker=None, bulkhead=None)


class StepResponse(msgspec.Struct, frozen=True):
    """What inventory and payments respond with, as far as it is read."""

    reservation_id: str
    state: str


class AnyResponse(msgspec.Struct, frozen=True):
    """Any JSON object."""


class Inventory:
    """`reservations-inventory`. Every method raises CallFailed, and may be repeated: both routes are idempotent."""

    def __init__(self, link: Link, step: LinkPolicy, undo: LinkPolicy) -> None:
        self._link = link
        self._step = link.pipeline(step)
        self._undo = link.pipeline(undo)

    async def reserve(self, saga: Saga, deadline: Deadline) -> None:
        """Hold the saga's seats."""
        body = HoldBody(saga.reservation_id, saga.order.event_id, saga.order.quantity)
        request = Request("POST", "/reserve", StepResponse, body=body)
        await self._link.call(request, self._step, deadline)

    async def release(self, reservation_id: str, attempt: int) -> None:
        """Give the seats back, or make a reserve that is still under way do nothing."""
        request = Request("POST", "/release", StepResponse, body=UndoBody(reservation_id))
        await self._link.call(request, self._undo, Deadline.unlimited(), attempt)


class Payments:
    """`reservations-payments`. Every method raises CallFailed, and may be repeated: both routes are idempotent."""

    def __init__(self, link: Link, step: LinkPolicy, undo: LinkPolicy) -> None:
        self._link = link
        self._step = link.pipeline(step)
        self._undo = link.pipeline(undo)

    async def pay(self, saga: Saga, deadline: Deadline) -> None:
        """Charge the saga's user."""
        body = PayBody(saga.reservation_id, saga.order.user_id, saga.order.amount_cents)
        request = Request("POST", "/pay", StepResponse, body=body)
        await self._link.call(request, self._step, deadline)

    async def refund(self, reservation_id: str, attempt: int) -> None:
        """Give the money back, or make a payment that is still under way do nothing."""
        request = Request("POST", "/refund", StepResponse, body=UndoBody(reservation_id))
        await self._link.call(request, self._undo, Deadline.unlimited(), attempt)


class Notifications:
    """`reservations-notifications`, which is not critical."""

    def __init__(self, link: Link, policy: LinkPolicy) -> None:
        self._link = link
        self._pipeline = link.pipeline(policy)

    async def notify(self, notice: Notice, deadline: Deadline) -> None:
        """Send the notice; raises CallFailed."""
        order = notice.order
        body = NotifyBody(notice.reservation_id, order.user_id, order.event_id, order.quantity)
        request = Request("POST", "/notify", AnyResponse, body=body)
        await self._link.call(request, self._pipeline, deadline)
