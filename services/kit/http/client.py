"""The one place where a service calls another: each attempt has one CLIENT span and one named way to fail.

Toxiproxy stands on every link, so a refused connection means that the proxy is disabled and the callee was never
reached (definite); a dead callee looks like a connection that closes (indefinite).
aiohttp silently repeats an idempotent request once on a dead pooled connection: that is switched off by a private
name (docs/adr/0012-private-names-of-aiohttp.md), or every count of attempts would be wrong. Its limit of 100
connections is off too: waiting for one of them would look like a slow callee.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from services.kit.failures.failed import CallFailed, callee_of, caller_of
from services.kit.failures.problem import Mechanism, parse_problem
from services.kit.patterns import deadline as deadlines
from services.kit.patterns.deadline import Deadline
from services.kit.patterns.pipeline import Attempt, Pipeline
from services.kit.policy.sections import LinkPolicy
from services.kit.telemetry import tracing
from services.kit.telemetry.events import AttemptFinished
from services.kit.telemetry.telemetry import Telemetry

T = TypeVar("T")
RESPONSE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One call: `route` is the path's template, which names span and metric; `response` the type of a 2xx body."""

    method: str
    route: str
    response: type[T]
    path: str = ""
    body: msgspec.Struct | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def make_session() -> aiohttp.ClientSession:
    """Make the client session of a service; the caller closes it."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
        auto_decompress=False,
        raise_for_status=False,
    )
    session._retry_connection = False
    return session


class Link:
    """An edge on which this service is the caller; `base_url` is the proxied address."""

    def __init__(
        self,
        name: str,
        base_url: str,
        session: aiohttp.ClientSession,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._session = session
        self._telemetry = telemetry
        self._clock = clock
        telemetry.metrics.expect_link(name)
        parts = urlsplit(base_url)
        self._server: dict[str, str | int] = {
            "server.address": parts.hostname or "",
            "server.port": parts.port or 80,
        }

    def pipeline(self, policy: LinkPolicy) -> Pipeline:
        """Return a pipeline of this link's layers, tuned by `policy`."""
        return Pipeline(self.name, policy, self._telemetry.emit)

    async def call(
        self, request: Request[T], pipeline: Pipeline, deadline: Deadline, first: int = 1
    ) -> T:
        """Send `request` through `pipeline` and return the response's body; raises `CallFailed` when there is none.

        A non-2xx response is a failure too, with the callee's `status` and `problem`. `first`: see `Pipeline.run`.
        """
        return await pipeline.run(lambda attempt: self._send(request, attempt), deadline, first)

    async def _send(self, request: Request[T], attempt: Attempt) -> T:
        started_s = self._clock()
        span = self._start_span(request, attempt.number)
        status: int | None = None
        mechanism: Mechanism | None = None
        try:
            with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                status, body = await self._exchange(request, attempt)
            return body
        except CallFailed as failure:
            status, mechanism = failure.status, failure.mechanism
            raise
        finally:
            duration_s = self._clock() - started_s
            self._finish(span, request, attempt.number, status, mechanism, duration_s)

    async def _exchange(self, request: Request[T], attempt: Attempt) -> tuple[int, T]:
        limit_s = attempt.limit.timeout_s
        try:
            async with (
                asyncio.timeout(None if math.isinf(limit_s) else limit_s),
                self._request(request, attempt.deadline) as response,
            ):
                body = await _bounded_body(response)
        except TimeoutError as error:
            detail = f"no answer within {limit_s:.3g} s; the work may still be done"
            raise self._failed(attempt.limit.mechanism, definite=False, detail=detail) from error
        except (aiohttp.ClientError, OSError) as error:
            mechanism, definite = classify(error)
            raise self._failed(mechanism, definite=definite, detail=str(error)[:200]) from error
        if not 200 <= response.status < 300:
            raise self._error_response(response, body)
        return response.status, self._decode(request, response.status, body)

    def _request(
        self, request: Request[T], deadline: Deadline
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        headers = dict(request.headers)
        tracing.inject(headers)
        remaining_ms = deadline.header_ms()
        if remaining_ms is not None:
            headers[deadlines.HEADER] = str(remaining_ms)
        body = None
        if request.body is not None:
            headers["Content-Type"] = "application/json"
            body = msgspec.json.encode(request.body)
        url = self._base_url + (request.path or request.route)
        return self._session.request(
            request.method, url, data=body, headers=headers, allow_redirects=False
        )

    def _decode(self, request: Request[T], status: int, body: bytes | None) -> T:
        try:
            if body is not None:
                return msgspec.json.decode(body, type=request.response)
            detail = f"the response is longer than {RESPONSE_BYTES_MAX} bytes"
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            detail = str(error)
        raise self._failed(Mechanism.BAD_ANSWER, definite=False, detail=detail, status=status)

    def _error_response(self, response: aiohttp.ClientResponse, body: bytes | None) -> CallFailed:
        problem = parse_problem(response.status, body or b"", response.headers.get("Retry-After"))
        if problem is not None:
            return CallFailed(
                problem.mechanism,
                problem.definite,
                problem.link,
                problem.origin,
                problem.detail,
                status=response.status,
                problem=problem,
                retry_after_s=problem.retry_after_s,
            )
        is_problem = "problem+json" in response.headers.get("Content-Type", "")
        mechanism = Mechanism.BAD_ANSWER if is_problem else Mechanism.UPSTREAM_ERROR
        detail = f"answered {response.status} without a readable problem body"
        failure = self._failed(mechanism, definite=False, detail=detail, status=response.status)
        failure.origin = callee_of(self.name)
        return failure

    def _failed(
        self, mechanism: Mechanism, *, definite: bool, detail: str, status: int | None = None
    ) -> CallFailed:
        return CallFailed(
            mechanism, definite, self.name, caller_of(self.name), detail, status=status
        )

    def _start_span(self, request: Request[T], attempt: int) -> Span:
        attributes: dict[str, str | int] = {
            "http.request.method": request.method,
            "url.full": self._base_url + (request.path or request.route),
            "url.template": request.route,
            "aguante.link": self.name,
            "aguante.attempt": attempt,
            **self._server,
        }
        if attempt > 1:
            attributes["http.request.resend_count"] = attempt - 1
        name = f"{request.method} {request.route}"
        return self._telemetry.tracing.start(name, SpanKind.CLIENT, attributes)

    def _finish(
        self,
        span: Span,
        request: Request[T],
        attempt: int,
        status: int | None,
        mechanism: Mechanism | None,
        duration_s: float,
    ) -> None:
        if status is not None:
            span.set_attribute("http.response.status_code", status)
        if mechanism is not None:
            span.set_attribute("error.type", mechanism.value)
            span.set_status(Status(StatusCode.ERROR, mechanism.value))
        span.end()
        self._telemetry.emit(
            AttemptFinished(
                self.name,
                request.method,
                request.route,
                attempt,
                status,
                mechanism,
                duration_s,
                tracing.trace_id_hex(span),
            )
        )


def classify(error: aiohttp.ClientError | OSError) -> tuple[Mechanism, bool]:
    """Return the mechanism of a failed exchange, and whether it is definite: nothing can have reached the callee."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return Mechanism.CONNECT_REFUSED, True
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientConnectionResetError):
        return Mechanism.DISCONNECTED, False
    if isinstance(error, aiohttp.ClientPayloadError):
        reset = isinstance(error.__cause__, ConnectionResetError) or "ConnectionReset" in str(error)
        return (Mechanism.CONNECTION_RESET if reset else Mechanism.DISCONNECTED), False
    if isinstance(error, aiohttp.ClientResponseError):
        return Mechanism.BAD_ANSWER, False
    if isinstance(error, OSError):
        return Mechanism.CONNECTION_RESET, False
    return Mechanism.DISCONNECTED, False


async def _bounded_body(response: aiohttp.ClientResponse) -> bytes | None:
    """Read the body; None when it is longer than `RESPONSE_BYTES_MAX`."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > RESPONSE_BYTES_MAX:
            response.close()
            return None
    return bytes(body)
