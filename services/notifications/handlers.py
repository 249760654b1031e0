"""Notifications' HTTP side: check the input, send the notice, respond."""

import logging

import msgspec
from aiohttp import web

from services.kit.http.server import note_reservation, read_json, respond_json
from services.notifications.domain import Notice, SentNotices
from services.shop.wire import NotifyBody

SENT: web.AppKey[SentNotices] = web.AppKey("sent", SentNotices)

_LOG = logging.getLogger(__name__)


class NoticeResponse(msgspec.Struct, frozen=True):
    """`repeated`: this notice was sent before."""

    reservation_id: str
    repeated: bool


async def notify(request: web.Request) -> web.StreamResponse:
    """`POST /notify`: always 200, and each reservation's notice is sent once."""
    body = await read_json(request, NotifyBody)
    note_reservation(body.reservation_id)
    notice = Notice(body.reservation_id, body.user_id, body.event_id, body.quantity)
    sent = request.app[SENT].send(notice)
    _LOG.debug("notified", extra={"fields": {"reservation_id": body.reservation_id}})
    return respond_json(NoticeResponse(body.reservation_id, repeated=not sent))
