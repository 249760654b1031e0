"""The gateway's endpoints: check, take a slot, pass on, and tell the client what came of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from services.gateway import domain
from services.gateway.clients import CALLS, Inventory, Order, Reservations
from services.kit.failures.expected import NO_ANSWER, Failures
from services.kit.failures.failed import CallFailed, problem_from
from services.kit.failures.problem import Mechanism, Problem
from services.kit.http.server import POLICY, answer_json, note_reservation, read_json
from services.kit.patterns.deadline import Deadline
from services.kit.patterns.semaphore import Semaphore

KEY_HEADER = "Idempotency-Key"
OPENAPI = (Path(__file__).parent / "openapi.json").read_bytes()

SEMAPHORE: web.AppKey[Semaphore] = web.AppKey("semaphore", Semaphore)
RESERVATIONS: web.AppKey[Reservations] = web.AppKey("reservations", Reservations)
INVENTORY: web.AppKey[Inventory] = web.AppKey("inventory", Inventory)
MAKE_KEY: web.AppKey[Callable[[], str]] = web.AppKey("make_key")

Id = Annotated[str, Meta(max_length=domain.ID_CHARS_MAX, pattern=domain.ID_PATTERN)]
Quantity = Annotated[int, Meta(ge=domain.QUANTITY_MIN, le=domain.QUANTITY_MAX)]


class ReserveBody(msgspec.Struct, frozen=True):
    """The body of ``POST /reserve``."""

    user_id: Id
    event_id: Id
    quantity: Quantity


async def reserve(request: web.Request) -> web.StreamResponse:
    """``POST /reserve``: 200 once the reservation is confirmed; the key is in every answer."""
    with request.app[SEMAPHORE].slot():
        key = _key_of(request)
        try:
            body = await read_json(request, ReserveBody)
            order = Order(body.user_id, body.event_id, body.quantity)
            with _told_to_the_client():
                confirmed = await request.app[RESERVATIONS].reserve(order, key, _deadline(request))
        except Problem as problem:
            problem.headers = {KEY_HEADER: key}
            raise
        note_reservation(confirmed.reservation_id)
        return answer_json(confirmed, headers={KEY_HEADER: key})


async def reservation(request: web.Request) -> web.StreamResponse:
    """``GET /reservations/{reservation_id}``: what became of it."""
    with request.app[SEMAPHORE].slot():
        reservation_id = _id_in_path(request, "reservation_id")
        note_reservation(reservation_id)
        with _told_to_the_client():
            return answer_json(
                await request.app[RESERVATIONS].find(reservation_id, _deadline(request))
            )


async def event(request: web.Request) -> web.StreamResponse:
    """``GET /events/{event_id}``: its seats."""
    with request.app[SEMAPHORE].slot():
        event_id = _id_in_path(request, "event_id")
        with _told_to_the_client():
            return answer_json(await request.app[INVENTORY].event(event_id, _deadline(request)))


async def openapi(request: web.Request) -> web.StreamResponse:
    """``GET /openapi.json``: this interface, described."""
    return web.Response(body=OPENAPI, content_type="application/json")


ROUTES = [
    web.post("/reserve", reserve),
    web.get("/reservations/{reservation_id}", reservation, allow_head=False),
    web.get("/events/{event_id}", event, allow_head=False),
    web.get("/openapi.json", openapi, allow_head=False),
]
FAILURES: Failures = {
    (method, route): tuple(
        dict.fromkeys((Mechanism.SEMAPHORE_FULL, Mechanism.BREAKER_OPEN, *NO_ANSWER, *answers))
    )
    for _, method, route, answers in CALLS
}
"""Full ourselves, or whatever came of the call: each route has one, of the same name."""


def _deadline(request: web.Request) -> Deadline:
    # The gateway is where a request's time begins: what a client says of its own patience is not our budget.
    return Deadline.start(request.app[POLICY].deadline)


@contextmanager
def _told_to_the_client() -> Iterator[None]:
    try:
        yield
    except CallFailed as failure:
        raise problem_from(failure) from failure


def _key_of(request: web.Request) -> str:
    keys = request.headers.getall(KEY_HEADER, [])
    if not keys:
        return request.app[MAKE_KEY]()
    key = keys[0]
    if len(keys) > 1 or not domain.is_id(key):
        detail = f"{KEY_HEADER} must be 1 to {domain.ID_CHARS_MAX} letters, digits and . _ : -"
        raise Problem(Mechanism.INVALID_INPUT, detail)
    return key


def _id_in_path(request: web.Request, name: str) -> str:
    value = request.match_info[name]
    if not domain.is_id(value):
        detail = f"{name} must be 1 to {domain.ID_CHARS_MAX} letters, digits and . _ : -"
        raise Problem(Mechanism.INVALID_INPUT, detail)
    return value
