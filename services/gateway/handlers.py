"""The gateway's HTTP side: take a slot, check the input, call, respond."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

from services.gateway.clients import Inventory, Reservations
from services.kit.failures.failed import failures_as_problems
from services.kit.failures.problem import Problem
from services.kit.http.server import POLICY, checked, note_reservation, read_json, respond_json
from services.kit.patterns.deadline import Deadline
from services.kit.patterns.semaphore import Semaphore
from services.shop.fields import KEY_HEADER, key_of
from services.shop.wire import EventPath, ReservationPath, ReserveBody

OPENAPI = (Path(__file__).parent / "openapi.json").read_bytes()

SEMAPHORE: web.AppKey[Semaphore] = web.AppKey("semaphore", Semaphore)
RESERVATIONS: web.AppKey[Reservations] = web.AppKey("reservations", Reservations)
INVENTORY: web.AppKey[Inventory] = web.AppKey("inventory", Inventory)


async def reserve(request: web.Request) -> web.StreamResponse:
    """`POST /reserve`: 200 once the reservation is confirmed; every response carries the key."""
    with request.app[SEMAPHORE].slot():
        key = key_of(request.headers)
        with _key_sent_along(key):
            body = await read_json(request, ReserveBody)
            confirmed = await request.app[RESERVATIONS].reserve(body, key, _deadline(request))
        note_reservation(confirmed.reservation_id)
        return respond_json(confirmed, headers={KEY_HEADER: key})


async def read_reservation(request: web.Request) -> web.StreamResponse:
    """`GET /reservations/{reservation_id}`: 200 or 404."""
    with request.app[SEMAPHORE].slot(), failures_as_problems():
        reservation_id = checked(dict(request.match_info), ReservationPath).reservation_id
        note_reservation(reservation_id)
        return respond_json(
            await request.app[RESERVATIONS].find(reservation_id, _deadline(request))
        )


async def read_event(request: web.Request) -> web.StreamResponse:
    """`GET /events/{event_id}`: 200 or 404."""
    with request.app[SEMAPHORE].slot(), failures_as_problems():
        event_id = checked(dict(request.match_info), EventPath).event_id
        return respond_json(await request.app[INVENTORY].event(event_id, _deadline(request)))


async def read_openapi(request: web.Request) -> web.StreamResponse:
    """`GET /openapi.json`: the description of this interface."""
    return web.Response(body=OPENAPI, content_type="application/json")


def _deadline(request: web.Request) -> Deadline:
    # A request's time begins at the gateway: an X-Deadline-Ms of the client is ignored.
    return Deadline.start(request.app[POLICY].deadline)


@contextmanager
def _key_sent_along(key: str) -> Iterator[None]:
    """Add the key to whatever problem the body ends with, so that the client can repeat the request."""
    try:
        with failures_as_problems():
            yield
    except Problem as problem:
        problem.headers = {KEY_HEADER: key}
        raise
