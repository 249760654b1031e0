"""Answers what is not even HTTP: aiohttp rejects it before any middleware runs, in plain text; we want a problem."""

from __future__ import annotations

import asyncio
import logging
import secrets
from http import HTTPStatus
from typing import Any, cast

from aiohttp import HttpVersion10, HttpVersion11, hdrs, web
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from services.kit.failures.problem import PROBLEM_TYPE, Mechanism, Problem
from services.kit.http.limits import HEAD_BYTES_MAX, HEADERS_MAX, ConnectionLimits
from services.kit.telemetry.events import RequestFinished, RequestRejected
from services.kit.telemetry.telemetry import Telemetry
from services.kit.telemetry.text import printable

_LOG = logging.getLogger(__name__)


class Runner(web.AppRunner):
    """Runs an application for its telemetry; bodies are not decompressed, so none can be a bomb.

    ``shutdown_s``: how long requests in flight may take to end when it is cleaned up.
    """

    def __init__(
        self,
        app: web.Application,
        telemetry: Telemetry,
        *,
        shutdown_s: float,
        limits: ConnectionLimits | None = None,
    ) -> None:
        self._limits = limits or ConnectionLimits()
        super().__init__(
            app,
            access_log=None,
            shutdown_timeout=shutdown_s,
            auto_decompress=False,
            keepalive_timeout=self._limits.idle_s,
            lingering_time=self._limits.linger_s,
            max_line_size=HEAD_BYTES_MAX,
            max_field_size=HEAD_BYTES_MAX,
            max_headers=HEADERS_MAX,
        )
        self._telemetry = telemetry

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(
            made.request_handler,
            request_factory=_tamed(made.request_factory),
            telemetry=self._telemetry,
            limits=self._limits,
            **made._kwargs,
        )


def _tamed(make_request: Any) -> Any:
    """Wrap what makes requests, so that three things never get as far as what aiohttp itself would do with them.

    An ``Expect`` that we do not know is ignored, as RFC 9110 allows: aiohttp answers it in plain text. A version that
    we do not speak is answered in HTTP/1.0 and the connection closed: aiohttp would call its answer HTTP/2.0.
    A ``CONNECT`` without a target gets one that we do not have: aiohttp would die of it, and say nothing.
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


class _Server(web.Server):
    """Makes a connection's handler; the only seam that aiohttp leaves for this."""

    def __init__(
        self, handler: Any, *, telemetry: Telemetry, limits: ConnectionLimits, **kwargs: Any
    ) -> None:
        super().__init__(handler, **kwargs)
        self.telemetry = telemetry
        self.limits = limits

    def __call__(self) -> RequestHandler:
        handler = _Connection(self, loop=self._loop, **self._kwargs)
        handler.telemetry = self.telemetry
        handler.limits = self.limits
        handler.timers = {}
        return handler


class _Connection(RequestHandler):
    """One connection, whose protocol errors are problems and whose every wait has a limit."""

    __slots__ = ("limits", "telemetry", "timers")
    telemetry: Telemetry
    limits: ConnectionLimits
    timers: dict[str, asyncio.TimerHandle]

    # How many: each beyond the limit is told so, and beyond that is cut off ------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to serve, or to refuse, a connection."""
        super().connection_made(transport)
        socket = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        assert self._task_handler is not None  # noqa: S101 - made two lines above
        self._task_handler.add_done_callback(lambda _: self._limit_end(socket))
        assert self._manager is not None  # noqa: S101 - we are connected
        above = len(self._manager._connections) - self.limits.connections
        if above > self.limits.refused:
            socket.abort()
        elif above > 0:
            self._request_handler = self._refuse

    async def _refuse(self, request: web.BaseRequest) -> web.StreamResponse:
        self.telemetry.emit(RequestRejected(Mechanism.SEMAPHORE_FULL))
        detail = (
            f"{self.limits.connections} connections are open already. Repeat after Retry-After."
        )
        response = self._answer(Problem(Mechanism.SEMAPHORE_FULL, detail))
        response.headers["Retry-After"] = "1"
        return response

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop every timer: there is nothing left to limit."""
        for name in tuple(self.timers):
            self._stop(name)
        super().connection_lost(exc)

    # How long --------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take what came; a head that has begun must end within ``head_s``, however slowly it drips."""
        super().data_received(data)
        if not self._between_requests():
            self._stop("head")
        elif "head" not in self.timers:
            self._start("head", self.limits.head_s, self._head_is_late)

    def _between_requests(self) -> bool:
        waits = self._waiter is None or not self._waiter.done()
        return waits and not self._messages and not self._request_in_progress

    def _head_is_late(self) -> None:
        self.timers.pop("head", None)
        if not self._between_requests() or self.transport is None:
            return
        detail = f"The head of a request did not arrive within {self.limits.head_s:.0f} s."
        problem = Problem(Mechanism.BAD_REQUEST, detail, HTTPStatus.REQUEST_TIMEOUT)
        self.transport.write(_on_the_wire(self._answer(problem)))
        self.force_close()

    def pause_writing(self) -> None:
        """Begin to count the time in which the client does not read."""
        super().pause_writing()
        if self.transport is not None:
            self._start("unread", self.limits.unread_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Be content: the client reads."""
        self._stop("unread")
        super().resume_writing()

    def _limit_end(self, transport: asyncio.Transport) -> None:
        # A transport that is closed waits for the client to read the rest, for ever if need be.
        if self._manager is not None:
            self._start("end", self.limits.unread_s, transport.abort)

    def _start(self, name: str, after_s: float, act: Any) -> None:
        self._stop(name)
        self.timers[name] = self._loop.call_later(after_s, act)

    def _stop(self, name: str) -> None:
        timer = self.timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    # What is not HTTP ------------------------------------------------------------------------------------

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return a problem in place of aiohttp's plain text; the connection closes after it."""
        if request.writer.output_size > 0:
            raise ConnectionError(message)  # half an answer is out: there is nothing more to say
        broken = status >= 500
        mechanism = Mechanism.INTERNAL_ERROR if broken else Mechanism.BAD_REQUEST
        _LOG.log(
            logging.ERROR if broken else logging.INFO,
            "a request that is not HTTP as we know it: %r",
            exc,
            exc_info=exc if broken else None,
        )
        why = printable(" ".join((message or "").split()), 200)
        return self._answer(Problem(mechanism, f"This is not a valid HTTP request: {why}", status))

    def _answer(self, problem: Problem) -> web.Response:
        trace_id = secrets.token_hex(16)
        response = web.Response(
            body=problem.body(self.telemetry.service, trace_id),
            status=problem.status,
            headers={"X-Trace-Id": trace_id},
            content_type=PROBLEM_TYPE,
        )
        response.force_close()
        # There was no request yet, so no span that the id could lead to, and no time that it took.
        self.telemetry.emit(
            RequestFinished("_OTHER", "", problem.status, problem.mechanism, 0.0, "")
        )
        return response


def _on_the_wire(response: web.Response) -> bytes:
    """Return an answer as bytes, for when there is no request to answer."""
    body = response.body
    assert isinstance(body, bytes)  # noqa: S101 - it was made of bytes
    headers = {**response.headers, "Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
