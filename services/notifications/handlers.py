"""The one endpoint of notifications."""

import logging
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from services.kit.http.server import answer_json, note_reservation, read_json
from services.notifications.domain import QUANTITY_MAX, Notice, SentNotices

SENT: web.AppKey[SentNotices] = web.AppKey("sent", SentNotices)

Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:~-]+\Z")]

_LOG = logging.getLogger(__name__)


class NotifyBody(msgspec.Struct, frozen=True):
    """The body of ``POST /notify``."""

    reservation_id: Id
    user_id: Id
    event_id: Id
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]


class Notified(msgspec.Struct, frozen=True):
    """The answer: ``repeated`` when the user had been told already."""

    reservation_id: str
    repeated: bool


async def notify(request: web.Request) -> web.StreamResponse:
    """``POST /notify``: idempotent by reservation id."""
    body = await read_json(request, NotifyBody)
    note_reservation(body.reservation_id)
    notice = Notice(body.reservation_id, body.user_id, body.event_id, body.quantity)
    sent = request.app[SENT].send(notice)
    _LOG.debug("notified", extra={"fields": {"reservation_id": body.reservation_id}})
    return answer_json(Notified(body.reservation_id, repeated=not sent))


ROUTES = [web.post("/notify", notify)]
