"""Reservations' HTTP side: check the input, run the saga, respond."""

from uuid import uuid4

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
from services.kit.telemetry.tracing import span_id_hex, trace_id_hex
from services.reservations.domain import Failure, Order, Saga, Trace
from services.reservations.repository import Sagas
from services.reservations.saga import SagaRunner
from services.shop.fields import KEY_HEADER, key_of
from services.shop.wire import (
    FailurePart,
    NotificationPart,
    ReservationPath,
    ReservationResponse,
    ReserveBody,
)

RUNNER: web.AppKey[SagaRunner] = web.AppKey("runner", SagaRunner)
SAGAS: web.AppKey[Sagas] = web.AppKey("sagas", Sagas)


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
        NotificationPart(sent),
        _failure(saga.failure),
    )


def _failure(failure: Failure | None) -> FailurePart | None:
    if failure is None:
        return None
    return FailurePart(
        failure.status, failure.mechanism, failure.origin, failure.link, failure.detail
    )
