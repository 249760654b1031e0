"""One client's connection: its waits have limits, and what is not HTTP gets a problem instead of plain text.

aiohttp rejects malformed requests before any middleware runs; hence this subclass of its protocol. It reaches into two
private names of aiohttp, `_make_server` and `_waiter`: docs/adr/0012-private-names-of-aiohttp.md.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

from aiohttp import HttpVersion10, HttpVersion11, hdrs, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from services.kit.failures.problem import PROBLEM_TYPE, Mechanism, Problem
from services.kit.http.limits import HEAD_BYTES_MAX, HEADERS_MAX, ConnectionLimits
from services.kit.telemetry.events import RequestFinished, RequestRejected
from services.kit.telemetry.telemetry import Telemetry
from services.kit.telemetry.text import printable

_LOG = logging.getLogger(__name__)


class Runner(web.AppRunner):
    """Runs an application within `limits`; bodies are not decompressed, so none can be a decompression bomb.

    `shutdown_s`: how long requests in flight may take to end when it is cleaned up.
    """

    def __init__(
        self,
        app: web.Application,
        telemetry: Telemetry,
        *,
        shutdown_s: float,
        limits: ConnectionLimits | None = None,
    ) -> None:
        super().__init__(app, access_log=None, shutdown_timeout=shutdown_s)
        self._telemetry = telemetry
        self._limits = limits or ConnectionLimits()

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return _Server(server, self._telemetry, self._limits)


class _Server(web.Server):
    """Makes the handler of each connection."""

    def __init__(self, made: web.Server, telemetry: Telemetry, limits: ConnectionLimits) -> None:
        super().__init__(self._handle, request_factory=_corrected(made.request_factory))
        self.telemetry = telemetry
        self.limits = limits
        self._next: Callable[[Any], Any] = made.request_handler

    def __call__(self) -> web.RequestHandler:
        return _Connection(self)

    def _handle(self, request: web.BaseRequest) -> Any:
        connection = cast("_Connection", request.protocol)
        return connection.refuse() if connection.excess else self._next(request)


def _corrected(make_request: Any) -> Any:
    """Wrap the factory of requests, to correct three cases that aiohttp itself handles badly.

    An `Expect` that we do not know is ignored, as RFC 9110 allows: aiohttp responds in plain text. A version that we
    do not speak gets a response in HTTP/1.0 and the connection is closed: aiohttp would call its response HTTP/2.0.
    A `CONNECT` without a target gets an unknown path: aiohttp would fail without any response.
    """

    def make(message: Any, *args: Any) -> web.BaseRequest:
        expected = message.headers.get(hdrs.EXPECT)
        if expected is not None and expected.lower() != "100-continue":
            headers = CIMultiDict(message.headers)
            headers.popall(hdrs.EXPECT)
            message = message._replace(headers=CIMultiDictProxy(headers))
        if message.version not in (HttpVersion10, HttpVersion11):
            message = message._replace(version=HttpVersion10, should_close=True)
        if message.url is None:
            message = message._replace(path="/", url=URL("/"))
        request: web.BaseRequest = make_request(message, *args)
        return request

    return make


class _Connection(web.RequestHandler):
    """One connection, whose protocol errors are problems and whose every wait has a limit."""

    __slots__ = ("excess", "lost", "server", "timers")

    def __init__(self, server: _Server) -> None:
        limits = server.limits
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=cast("logging.Logger", None),
            auto_decompress=False,
            keepalive_timeout=limits.idle_s,
            lingering_time=limits.linger_s,
            max_line_size=HEAD_BYTES_MAX,
            max_field_size=HEAD_BYTES_MAX,
            max_headers=HEADERS_MAX,
        )
        self.server = server
        self.timers: dict[str, asyncio.TimerHandle] = {}
        self.excess = False
        self.lost = False

    # The number of connections: those above the limit are refused, and beyond that aborted --------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to serve, or to refuse, a connection."""
        super().connection_made(transport)
        limits = self.server.limits
        above = len(self.server.connections) - limits.connections
        self.excess = above > 0
        if above > limits.refused:
            cast("asyncio.Transport", transport).abort()

    async def refuse(self) -> web.Response:
        """Respond with 429: too many connections are open."""
        self.server.telemetry.emit(RequestRejected(Mechanism.SEMAPHORE_FULL))
        detail = (
            f"{self.server.limits.connections} connections are open already. "
            "Repeat after Retry-After."
        )
        response = self._response(Problem(Mechanism.SEMAPHORE_FULL, detail))
        response.headers["Retry-After"] = "1"
        return response

    # Time limits ------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Serve requests; then give the client `unread_s` to read the rest of the last response."""
        transport = cast("asyncio.Transport", self.transport)  # uvloop's has another base class
        try:
            await super().start()
        finally:
            # A transport that is being closed waits for the client to read, without any limit.
            if not self.lost:
                self._set_timer("end", self.server.limits.unread_s, transport.abort)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Cancel every timer."""
        self.lost = True
        for name in tuple(self.timers):
            self._cancel_timer(name)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; a head that has begun must end within `head_s`, however slowly its bytes come."""
        super().data_received(data)
        if not self._waits_for_head():
            self._cancel_timer("head")
        elif "head" not in self.timers:
            self._set_timer("head", self.server.limits.head_s, self._head_is_late)

    def _waits_for_head(self) -> bool:
        return self._waiter is not None and not self._waiter.done()

    def _head_is_late(self) -> None:
        self.timers.pop("head", None)
        if not self._waits_for_head() or self.transport is None:
            return
        detail = f"The head of a request did not arrive within {self.server.limits.head_s:.0f} s."
        problem = Problem(Mechanism.BAD_REQUEST, detail, HTTPStatus.REQUEST_TIMEOUT)
        self.transport.write(_on_the_wire(self._response(problem)))
        self.force_close()

    def pause_writing(self) -> None:
        """Begin to count the time in which the client does not read."""
        super().pause_writing()
        if self.transport is not None:
            self._set_timer("unread", self.server.limits.unread_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Cancel the timer: the client has resumed reading."""
        self._cancel_timer("unread")
        super().resume_writing()

    def _set_timer(self, name: str, after_s: float, act: Callable[[], object]) -> None:
        self._cancel_timer(name)
        self.timers[name] = asyncio.get_running_loop().call_later(after_s, act)

    def _cancel_timer(self, name: str) -> None:
        timer = self.timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    # What is not HTTP -------------------------------------------------------------------------------------

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return a problem in place of aiohttp's plain text; the connection is closed after it."""
        if request.writer.output_size > 0:
            raise ConnectionError(message)  # half a response is out: nothing valid can follow
        broken = status >= 500
        mechanism = Mechanism.INTERNAL_ERROR if broken else Mechanism.BAD_REQUEST
        _LOG.log(
            logging.ERROR if broken else logging.INFO,
            "a request that is not valid HTTP: %r",
            exc,
            exc_info=exc if broken else None,
        )
        why = printable(" ".join((message or "").split()), 200)
        return self._response(
            Problem(mechanism, f"This is not a valid HTTP request: {why}", status)
        )

    def _response(self, problem: Problem) -> web.Response:
        trace_id = secrets.token_hex(16)
        telemetry = self.server.telemetry
        response = web.Response(
            body=problem.body(telemetry.service, trace_id),
            status=problem.status,
            headers={"X-Trace-Id": trace_id},
            content_type=PROBLEM_TYPE,
        )
        response.force_close()
        # There is no request yet, hence no span that the id could lead to, and no duration.
        telemetry.emit(RequestFinished("_OTHER", "", problem.status, problem.mechanism, 0.0, ""))
        return response


def _on_the_wire(response: web.Response) -> bytes:
    """Return a response as bytes, for when there is no request to respond to."""
    body = response.body
    assert isinstance(body, bytes)  # noqa: S101 - it was made of bytes
    headers = {**response.headers, "Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
