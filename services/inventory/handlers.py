"""Inventory's HTTP side: check the input, ask the repository, say what came of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import msgspec
from aiohttp import web
from msgspec import Meta

from services.inventory.domain import CAPACITY_MAX, QUANTITY_MAX, Event, Verdict
from services.inventory.repository import Seats
from services.kit.failures.failed import DatabaseFailed, problem_from
from services.kit.failures.problem import Mechanism, Problem
from services.kit.http.server import answer_json, checked, note_reservation, read_json

SEATS: web.AppKey[Seats] = web.AppKey("seats", Seats)

Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:~-]+\Z")]


class ReserveBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /reserve`."""

    reservation_id: Id
    event_id: Id
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]


class ReleaseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /release`."""

    reservation_id: Id


class CapacityBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`PUT /events/{event_id}`."""

    capacity: Annotated[int, Meta(ge=0, le=CAPACITY_MAX)]


class EventPath(msgspec.Struct, frozen=True):
    """The variable part of `/events/{event_id}`."""

    event_id: Id


class AllocationAnswer(msgspec.Struct, frozen=True):
    """What a reservation holds now; `repeated`: this request changed nothing."""

    reservation_id: str
    state: str
    repeated: bool


class EventAnswer(msgspec.Struct, frozen=True):
    """One event's seats."""

    event_id: str
    capacity: int
    available: int
    allocated: int


async def reserve(request: web.Request) -> web.StreamResponse:
    """Hold seats: 200, 404 unknown event, 409 sold out or voided, 422 other seats under this id."""
    body = await read_json(request, ReserveBody)
    note_reservation(body.reservation_id)
    with _failures_told(body.reservation_id):
        verdict = await request.app[SEATS].reserve(
            body.reservation_id, body.event_id, body.quantity
        )
    if verdict not in {Verdict.DONE, Verdict.REPEATED}:
        _refuse(verdict, body)
    repeated = verdict is Verdict.REPEATED
    return answer_json(AllocationAnswer(body.reservation_id, "ALLOCATED", repeated))


async def release(request: web.Request) -> web.StreamResponse:
    """Give seats back: always 200, since nothing is held afterwards whatever was there."""
    body = await read_json(request, ReleaseBody)
    note_reservation(body.reservation_id)
    with _failures_told(body.reservation_id):
        verdict = await request.app[SEATS].release(body.reservation_id)
    repeated = verdict is Verdict.REPEATED
    return answer_json(AllocationAnswer(body.reservation_id, "RELEASED", repeated))


async def read_event(request: web.Request) -> web.StreamResponse:
    """Tell an event's seats: 200 or 404."""
    event_id = checked(dict(request.match_info), EventPath).event_id
    with _failures_told():
        event = await request.app[SEATS].find(event_id)
    if event is None:
        raise Problem(Mechanism.NOT_FOUND, f"There is no event {event_id}; PUT it first.")
    return _event_answer(event)


async def put_event(request: web.Request) -> web.StreamResponse:
    """Create or resize an event: 200, or 422 when reservations hold more seats than that."""
    event_id = checked(dict(request.match_info), EventPath).event_id
    body = await read_json(request, CapacityBody)
    with _failures_told():
        event = await request.app[SEATS].resize(event_id, body.capacity)
    if isinstance(event, int):
        detail = (
            f"Reservations hold {event} seats of {event_id}: capacity must be {event} at least."
        )
        raise Problem(Mechanism.INVALID_INPUT, detail)
    return _event_answer(event)


def _event_answer(event: Event) -> web.Response:
    return answer_json(
        EventAnswer(event.event_id, event.capacity, event.available, event.allocated)
    )


@contextmanager
def _failures_told(reservation_id: str | None = None) -> Iterator[None]:
    """Turn a database that failed into the Problem it means for the caller."""
    try:
        yield
    except DatabaseFailed as failed:
        raise problem_from(failed, reservation_id=reservation_id) from failed


def _refuse(verdict: Verdict, body: ReserveBody) -> NoReturn:
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
