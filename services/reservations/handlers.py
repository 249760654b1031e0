"""The HTTP side of reservations: check the input, run the saga shielded, tell how it ended."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from services.kit.failures.failed import DatabaseFailed, problem_from
from services.kit.failures.problem import Mechanism, Problem
from services.kit.http.server import (
    answer_json,
    checked,
    note_reservation,
    read_json,
    received_deadline,
)
from services.kit.patterns.deadline import Deadline
from services.reservations.domain import QUANTITY_MAX, Failure, Order, Saga, Trace
from services.reservations.ports import Sagas
from services.reservations.saga import SagaRunner

Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:~-]+\Z")]
Key = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+\Z")]


class ReserveBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /reserve`."""

    user_id: Id
    event_id: Id
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]


class KeyHeader(msgspec.Struct, frozen=True, rename={"key": "Idempotency-Key"}):
    """The header that names the request, so that a repetition can be told from a second wish."""

    key: Key


class ReservationPath(msgspec.Struct, frozen=True):
    """The variable part of `/reservations/{reservation_id}`."""

    reservation_id: Id


class NotificationAnswer(msgspec.Struct, frozen=True):
    """Whether the user has been told."""

    sent: bool


class FailureAnswer(msgspec.Struct, frozen=True):
    """Why a reservation failed."""

    status: int
    mechanism: str
    origin: str
    link: str | None
    detail: str


class ReservationAnswer(msgspec.Struct, frozen=True):
    """One reservation as it stands."""

    reservation_id: str
    state: str
    user_id: str
    event_id: str
    quantity: int
    amount_cents: int
    notification: NotificationAnswer
    failure: FailureAnswer | None


@dataclass(slots=True)
class Shop:
    """What the handlers work with, and the sagas that are running."""

    runner: SagaRunner
    sagas: Sagas
    new_id: Callable[[], str]
    trace: Callable[[], Trace]
    running: set[asyncio.Task[Saga]] = field(default_factory=set)

    async def place(self, saga: Saga, deadline: Deadline) -> Saga:
        """Run a saga to its end, whoever may cancel us meanwhile; raises Problem."""
        task = asyncio.create_task(self.runner.place(saga, deadline))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return await asyncio.shield(task)


SHOP: web.AppKey[Shop] = web.AppKey("shop", Shop)


async def reserve(request: web.Request) -> web.StreamResponse:
    """Reserve: 200 when confirmed; every other outcome is a problem, see the gateway's contract."""
    body = await read_json(request, ReserveBody)
    shop = request.app[SHOP]
    key = request.headers.get("Idempotency-Key") or shop.new_id()
    key = checked({"Idempotency-Key": key}, KeyHeader).key
    deadline = received_deadline(request)
    order = Order(body.user_id, body.event_id, body.quantity)
    saga = Saga(shop.new_id(), key, order, trace=shop.trace())
    note_reservation(saga.reservation_id)
    done = await shop.place(saga, deadline)
    note_reservation(done.reservation_id)
    return answer_json(_answer(done, sent=done.notification_sent), headers={"Idempotency-Key": key})


async def read_reservation(request: web.Request) -> web.StreamResponse:
    """Tell how a reservation stands, and finally ended: 200 or 404."""
    reservation_id = checked(dict(request.match_info), ReservationPath).reservation_id
    shop = request.app[SHOP]
    try:
        record = await shop.sagas.find(reservation_id)
    except DatabaseFailed as failed:
        raise problem_from(failed, reservation_id=reservation_id) from failed
    if record is None:
        raise Problem(Mechanism.NOT_FOUND, f"There is no reservation {reservation_id}.")
    saga = shop.runner.marks.applied(record.saga)
    sent = saga.notification_sent or record.notice_delivered
    return answer_json(_answer(saga, sent=sent))


def _answer(saga: Saga, *, sent: bool) -> ReservationAnswer:
    return ReservationAnswer(
        saga.reservation_id,
        saga.state,
        saga.order.user_id,
        saga.order.event_id,
        saga.order.quantity,
        saga.order.amount_cents,
        NotificationAnswer(sent),
        _failure(saga.failure),
    )


def _failure(failure: Failure | None) -> FailureAnswer | None:
    if failure is None:
        return None
    return FailureAnswer(
        failure.status, failure.mechanism, failure.origin, failure.link, failure.detail
    )
