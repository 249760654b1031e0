"""Answers what is not even HTTP: aiohttp rejects it before any middleware runs, in plain text; we want a problem."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from services.kit.events import RequestFinished
from services.kit.problem import PROBLEM_TYPE, Mechanism, Problem
from services.kit.telemetry import Telemetry

_LOG = logging.getLogger("services.kit.http_protocol")


class Runner(web.AppRunner):
    """Runs an application for its telemetry; bodies are not decompressed, so none can be a bomb.

    ``shutdown_s``: how long requests in flight may take to end when it is cleaned up.
    """

    def __init__(self, app: web.Application, telemetry: Telemetry, *, shutdown_s: float) -> None:
        super().__init__(app, access_log=None, shutdown_timeout=shutdown_s, auto_decompress=False)
        self._telemetry = telemetry

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(
            made.request_handler,
            request_factory=made.request_factory,
            telemetry=self._telemetry,
            **made._kwargs,
        )


class _Server(web.Server):
    """Makes a connection's handler; the only seam that aiohttp leaves for this."""

    def __init__(self, handler: Any, *, telemetry: Telemetry, **kwargs: Any) -> None:
        super().__init__(handler, **kwargs)
        self.telemetry = telemetry

    def __call__(self) -> RequestHandler:
        handler = _Connection(self, loop=self._loop, **self._kwargs)
        handler.telemetry = self.telemetry
        return handler


class _Connection(RequestHandler):
    """One connection, whose protocol errors are problems."""

    __slots__ = ("telemetry",)
    telemetry: Telemetry

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
        why = " ".join((message or "").split())[:200]
        problem = Problem(mechanism, f"This is not a valid HTTP request: {why}", status)
        trace_id = secrets.token_hex(16)
        response = web.Response(
            body=problem.body(self.telemetry.service, trace_id),
            status=status,
            headers={"X-Trace-Id": trace_id},
            content_type=PROBLEM_TYPE,
        )
        response.force_close()
        self.telemetry.emit(RequestFinished("_OTHER", "", status, mechanism, 0.0, trace_id))
        return response
