"""The calls that reservations makes, each through its link's resilience pipeline.

A call that was repeated is indefinite as soon as one of its attempts was: what the last one says counts for
that one only, while the first may still be on its way.
"""

from typing import TypeVar

import msgspec

from services.kit.failures.expected import OF_WRITES
from services.kit.failures.failed import CallFailed
from services.kit.failures.problem import Mechanism
from services.kit.http.client import Link, Request
from services.kit.patterns.breaker import Breaker
from services.kit.patterns.bulkhead import Bulkhead
from services.kit.patterns.deadline import Deadline
from services.kit.patterns.retry import Retry
from services.kit.policy.sections import CompensationPolicy, LinkPolicy
from services.kit.telemetry.events import Emit
from services.reservations.domain import Saga
from services.reservations.ports import Notice
from services.reservations.settings import INVENTORY, NOTIFICATIONS, PAYMENTS

T = TypeVar("T")


class Pipeline:
    """One link's patterns, outermost first: deadline > retry > breaker > bulkhead > timeout."""

    def __init__(
        self, link: Link, policy: LinkPolicy, emit: Emit, compensation: CompensationPolicy | None
    ) -> None:
        self._link = link
        self._compensation_s = None if compensation is None else compensation.timeout_s
        self._timeout_s = policy.timeout_s
        self._retry = Retry(link.name, policy.retry, emit)
        self._breaker = Breaker(link.name, policy.breaker, emit)
        self._bulkhead = Bulkhead(link.name, policy.bulkhead, emit)

    async def call(self, request: Request[T], deadline: Deadline) -> T:
        """Send a step; raises CallFailed."""
        doubtful = False

        async def attempt(number: int) -> T:
            nonlocal doubtful
            try:
                return await self._breaker.run(
                    lambda: self._bulkhead.run(
                        lambda: self._link.call(request, deadline, self._timeout_s, number)
                    )
                )
            except CallFailed as failed:
                doubtful = doubtful or not failed.definite
                failed.definite = not doubtful
                raise

        return await self._retry.run(attempt, deadline)

    async def compensate(self, request: Request[T], attempt: int) -> T:
        """Send a compensation past all patterns but a timeout of its own; its own backoff paces it.

        That timeout is longer than a step's: nobody waits for a compensation, and a slow answer is an answer.
        """
        return await self._link.call(request, Deadline.unlimited(), self._compensation_s, attempt)


class StepAnswer(msgspec.Struct, frozen=True):
    """What a step's callee answers, so far as we read it."""

    reservation_id: str
    state: str


class Accepted(msgspec.Struct, frozen=True):
    """Any JSON object."""


class ReserveBody(msgspec.Struct, frozen=True):
    """Inventory's `POST /reserve`."""

    reservation_id: str
    event_id: str
    quantity: int


class PayBody(msgspec.Struct, frozen=True):
    """Payments' `POST /pay`."""

    reservation_id: str
    user_id: str
    amount_cents: int


class ReservationBody(msgspec.Struct, frozen=True):
    """`POST /release` and `POST /refund`."""

    reservation_id: str


class NotifyBody(msgspec.Struct, frozen=True):
    """Notifications' `POST /notify`."""

    reservation_id: str
    user_id: str
    event_id: str
    quantity: int


class InventoryClient:
    """Implements the port Inventory."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    async def reserve(self, saga: Saga, deadline: Deadline) -> None:
        """Hold the saga's seats; raises CallFailed."""
        body = ReserveBody(saga.reservation_id, saga.order.event_id, saga.order.quantity)
        await self._pipeline.call(Request("POST", "/reserve", StepAnswer, body=body), deadline)

    async def release(self, reservation_id: str, attempt: int) -> None:
        """Give the seats back; raises CallFailed."""
        body = ReservationBody(reservation_id)
        request = Request("POST", "/release", StepAnswer, body=body)
        await self._pipeline.compensate(request, attempt)


class PaymentsClient:
    """Implements the port Payments."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    async def pay(self, saga: Saga, deadline: Deadline) -> None:
        """Charge the saga's user; raises CallFailed."""
        body = PayBody(saga.reservation_id, saga.order.user_id, saga.order.amount_cents)
        await self._pipeline.call(Request("POST", "/pay", StepAnswer, body=body), deadline)

    async def refund(self, reservation_id: str, attempt: int) -> None:
        """Give the money back; raises CallFailed."""
        body = ReservationBody(reservation_id)
        request = Request("POST", "/refund", StepAnswer, body=body)
        await self._pipeline.compensate(request, attempt)


class NotificationsClient:
    """Implements the port Notifications."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    async def notify(self, notice: Notice, deadline: Deadline) -> None:
        """Tell the user; raises CallFailed."""
        order = notice.order
        body = NotifyBody(notice.reservation_id, order.user_id, order.event_id, order.quantity)
        await self._pipeline.call(Request("POST", "/notify", Accepted, body=body), deadline)


CALLS = (
    (INVENTORY, "POST", "/reserve", (Mechanism.SOLD_OUT, Mechanism.VOIDED, *OF_WRITES)),
    (INVENTORY, "POST", "/release", OF_WRITES),
    (PAYMENTS, "POST", "/pay", (Mechanism.PAYMENT_DECLINED, Mechanism.VOIDED, *OF_WRITES)),
    (PAYMENTS, "POST", "/refund", OF_WRITES),
    (NOTIFICATIONS, "POST", "/notify", ()),
)
"""Link, method, route, and the failures that the callee answers (a test holds them to the callee's own list)."""
