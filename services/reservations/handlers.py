"""Reservations' HTTP side: check the input, run the saga, respond."""

from uuid import uuid4

import msgspec
from aiohttp import web

from services.kit.failures.failed import failures_as_problems
from services.kit.failures.problem import Mechanism, Problem
from services.kit.http.server import (
    checked,
    note_reservation,
    read_json,
    received_deadline,
    respond_json,
)
from services.kit.policy.findings import Strict
from services.kit.telemetry.tracing import span_id_hex, trace_id_hex
from services.reservations.domain import Failure, Order, Saga, Trace
from services.reservations.repository import Sagas
from services.reservations.saga import SagaRunner
from services.shop.fields import KEY_HEADER, Id, Quantity, key_of

RUNNER: web.AppKey[SagaRunner] = web.AppKey("runner", SagaRunner)
SAGAS: web.AppKey[Sagas] = web.AppKey("sagas", Sagas)


class ReserveBody(Strict, frozen=True):
    """`POST /reserve`."""

    user_id: Id
    event_id: Id
    quantity: Quantity


class ReservationPath(Strict, frozen=True):
    """The variable part of `/reservations/{reservation_id}`."""

    reservation_id: Id


class NotificationResponse(msgspec.Struct, frozen=True):
    """Whether the user's notice was sent."""

    sent: bool


class FailureResponse(msgspec.Struct, frozen=True):
    """Why a reservation failed."""

    status: int
    mechanism: str
    origin: str
    link: str | None
    detail: str


class ReservationResponse(msgspec.Struct, frozen=True):
    """One reservation as it stands."""

    reservation_id: str
    state: str
    user_id: str
    event_id: str
    quantity: int
    amount_cents: int
    notification: NotificationResponse
    failure: FailureResponse | None


async def reserve(request: web.Request) -> web.StreamResponse:
    """`POST /reserve`: 200 when confirmed; every other outcome is a problem, see the gateway's contract."""
    body = await read_json(request, ReserveBody)
    key = key_of(request.headers)
    deadline = received_deadline(request)
    order = Order(body.user_id, body.event_id, body.quantity)
    saga = Saga(uuid4().hex, key, order, trace=Trace(trace_id_hex(), span_id_hex()))
    note_reservation(saga.reservation_id)
    done = await request.app[RUNNER].place_shielded(saga, deadline)
    note_reservation(done.reservation_id)
    response = _reservation_response(done, sent=done.notification_sent)
    return respond_json(response, headers={KEY_HEADER: key})


async def read_reservation(request: web.Request) -> web.StreamResponse:
    """`GET /reservations/{reservation_id}`: 200 or 404."""
    reservation_id = checked(dict(request.match_info), ReservationPath).reservation_id
    with failures_as_problems(reservation_id):
        record = await request.app[SAGAS].find(reservation_id)
    if record is None:
        raise Problem(Mechanism.NOT_FOUND, f"There is no reservation {reservation_id}.")
    saga = request.app[RUNNER].marks.applied(record.saga)
    sent = saga.notification_sent or record.notice_delivered
    return respond_json(_reservation_response(saga, sent=sent))


def _reservation_response(saga: Saga, *, sent: bool) -> ReservationResponse:
    return ReservationResponse(
        saga.reservation_id,
        saga.state,
        saga.order.user_id,
        saga.order.event_id,
        saga.order.quantity,
        saga.order.amount_cents,
        NotificationResponse(sent),
        _failure_response(saga.failure),
    )


def _failure_response(failure: Failure | None) -> FailureResponse | None:
    if failure is None:
        return None
    return FailureResponse(
        failure.status, failure.mechanism, failure.origin, failure.link, failure.detail
    )
