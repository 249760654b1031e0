"""Inventory's HTTP side: check the input, change the seats, respond."""

from typing import Annotated, NoReturn

import msgspec
from aiohttp import web
from msgspec import Meta

from services.inventory.domain import CAPACITY_MAX, Event, Verdict
from services.inventory.repository import Seats
from services.kit.failures.failed import failures_as_problems
from services.kit.failures.problem import Mechanism, Problem
from services.kit.http.server import checked, note_reservation, read_json, respond_json
from services.kit.policy.findings import Strict
from services.shop.wire import EventPath, HoldBody, UndoBody

SEATS: web.AppKey[Seats] = web.AppKey("seats", Seats)


class CapacityBody(Strict, frozen=True):
    """`PUT /events/{event_id}`."""

    capacity: Annotated[int, Meta(ge=0, le=CAPACITY_MAX)]


class AllocationResponse(msgspec.Struct, frozen=True):
    """What a reservation holds now; `repeated`: this request changed nothing."""

    reservation_id: str
    state: str
    repeated: bool


class EventResponse(msgspec.Struct, frozen=True):
    """One event's seats."""

    event_id: str
    capacity: int
    available: int
    allocated: int


async def reserve(request: web.Request) -> web.StreamResponse:
    """`POST /reserve`: 200, 404 unknown event, 409 sold out or voided, 422 other seats under this id."""
    body = await read_json(request, HoldBody)
    note_reservation(body.reservation_id)
    with failures_as_problems(body.reservation_id):
        verdict = await request.app[SEATS].reserve(
            body.reservation_id, body.event_id, body.quantity
        )
    if verdict not in {Verdict.DONE, Verdict.REPEATED}:
        _refuse(verdict, body)
    repeated = verdict is Verdict.REPEATED
    return respond_json(AllocationResponse(body.reservation_id, "ALLOCATED", repeated))


async def release(request: web.Request) -> web.StreamResponse:
    """`POST /release`: always 200, since nothing is held afterwards whatever was there."""
    body = await read_json(request, UndoBody)
    note_reservation(body.reservation_id)
    with failures_as_problems(body.reservation_id):
        verdict = await request.app[SEATS].release(body.reservation_id)
    repeated = verdict is Verdict.REPEATED
    return respond_json(AllocationResponse(body.reservation_id, "RELEASED", repeated))


async def read_event(request: web.Request) -> web.StreamResponse:
    """`GET /events/{event_id}`: 200 or 404."""
    event_id = checked(dict(request.match_info), EventPath).event_id
    with failures_as_problems():
        event = await request.app[SEATS].find(event_id)
    if event is None:
        raise Problem(Mechanism.NOT_FOUND, f"There is no event {event_id}; PUT it first.")
    return _event_response(event)


async def put_event(request: web.Request) -> web.StreamResponse:
    """`PUT /events/{event_id}`, create or resize: 200, or 422 when reservations hold more seats than that."""
    event_id = checked(dict(request.match_info), EventPath).event_id
    body = await read_json(request, CapacityBody)
    with failures_as_problems():
        event = await request.app[SEATS].resize(event_id, body.capacity)
    if isinstance(event, int):
        detail = (
            f"Reservations hold {event} seats of {event_id}: capacity must be {event} at least."
        )
        raise Problem(Mechanism.INVALID_INPUT, detail)
    return _event_response(event)


def _event_response(event: Event) -> web.Response:
    return respond_json(
        EventResponse(event.event_id, event.capacity, event.available, event.allocated)
    )


def _refuse(verdict: Verdict, body: HoldBody) -> NoReturn:
    mechanism, detail = {
        Verdict.NOT_FOUND: (Mechanism.NOT_FOUND, f"There is no event {body.event_id}."),
        Verdict.SOLD_OUT: (
            Mechanism.SOLD_OUT,
            f"{body.event_id} has fewer than {body.quantity} seats left.",
        ),
        Verdict.VOIDED: (
            Mechanism.VOIDED,
            "This reservation was released; reserve again under a new id.",
        ),
        Verdict.CONFLICT: (
            Mechanism.INVALID_INPUT,
            "This reservation holds other seats already; use a new id.",
        ),
    }[verdict]
    raise Problem(mechanism, detail, reservation_id=body.reservation_id)
