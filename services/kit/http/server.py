"""The server's side of every service: one middleware for span, metrics and problems, and the four common routes.

Bad input never causes a 500, and every non-2xx body is a problem. A client that hangs up cancels nothing: that is
aiohttp's default, and services rely on it.
"""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec
from aiohttp import web
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from services.kit.failures import expected
from services.kit.failures.expected import Failures
from services.kit.failures.failed import caller_of
from services.kit.failures.problem import BODY_BYTES_MAX, PROBLEM_TYPE, Mechanism, Problem
from services.kit.http.json_body import read_document
from services.kit.patterns import deadline as deadlines
from services.kit.patterns.deadline import Deadline
from services.kit.policy.findings import Invalid, Strict, convert
from services.kit.policy.sections import BasePolicy, links_of
from services.kit.telemetry import tracing
from services.kit.telemetry.events import RequestFinished
from services.kit.telemetry.failure_log import FailureLog
from services.kit.telemetry.telemetry import Telemetry
from services.kit.telemetry.text import printable

PATH_CHARS_MAX = 256
S = TypeVar("S", bound=Strict)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ReadyCheck = Callable[[], Awaitable[str | None]]  # why the service cannot serve now, or None

_LOG = logging.getLogger(__name__)

TELEMETRY: web.AppKey[Telemetry] = web.AppKey("telemetry", Telemetry)
POLICY: web.AppKey[BasePolicy] = web.AppKey("policy", BasePolicy)
READY_CHECKS: web.AppKey[list[ReadyCheck]] = web.AppKey("ready_checks", list)
FAILURE_LOG: web.AppKey[FailureLog] = web.AppKey("failure_log", FailureLog)
METHODS: web.AppKey[frozenset[str]] = web.AppKey("methods", frozenset)
PATHS: web.AppKey[str] = web.AppKey("paths", str)


def make_app(
    policy: BasePolicy,
    telemetry: Telemetry,
    routes: list[web.RouteDef],
    failures: Failures = expected.NONE,
) -> web.Application:
    """Make a service's application: its own `routes`, and `/healthz`, `/readyz`, `/metrics`, `/policy`.

    `failures`: those whose metrics must exist at 0 from the start. Append to `app[READY_CHECKS]` what must hold for
    `/readyz`, such as `database.ready`.
    """
    app = web.Application(middlewares=[_observed], client_max_size=BODY_BYTES_MAX)
    app[TELEMETRY] = telemetry
    app[POLICY] = policy
    app[READY_CHECKS] = []
    app[FAILURE_LOG] = FailureLog()
    app[METHODS] = frozenset(route.method for route in routes)
    app[PATHS] = ", ".join(dict.fromkeys(route.path for route in routes))
    for route in routes:
        own = failures.get((route.method, route.path), ())
        telemetry.metrics.expect_route(route.method, route.path, own)
    for link, section in links_of(policy).items():
        if section.retry is not None and caller_of(link) == telemetry.service:
            budget = section.retry.budget is not None
            telemetry.metrics.expect_retries(link, section.retry.on, budget=budget)
    app.add_routes([*routes, *COMMON_ROUTES])
    return app


async def read_json(request: web.Request, schema: type[S]) -> S:
    """Return the body as a `schema`; raises `Problem` 415, 413, 400 or 422 (which lists every fault)."""
    return checked(await read_document(request), schema)


def checked(document: Mapping[str, object], schema: type[S]) -> S:
    """Return `document` as a `schema`; raises `Problem` 422 that lists every fault."""
    try:
        return convert(document, schema)
    except Invalid as invalid:
        raise Problem(Mechanism.INVALID_INPUT, f"The request is not valid: {invalid}.") from invalid


def respond_json(
    body: msgspec.Struct, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return `body` as a JSON response."""
    return web.Response(
        body=msgspec.json.encode(body),
        status=status,
        headers=headers,
        content_type="application/json",
    )


def received_deadline(request: web.Request) -> Deadline:
    """Return the deadline that the caller passed on, or a new one; raises `Problem` 400 when it is malformed."""
    policy = request.app[POLICY].deadline
    header = request.headers.get(deadlines.HEADER)
    if header is None:
        return Deadline.start(policy)
    digits = header.isascii() and header.isdigit() and len(header) < 10
    if not digits or int(header) > deadlines.HEADER_MS_MAX:
        detail = f"{deadlines.HEADER} must be whole milliseconds up to {deadlines.HEADER_MS_MAX}."
        raise Problem(Mechanism.BAD_REQUEST, detail)
    return Deadline.received(int(header), policy)


def note_reservation(reservation_id: str) -> None:
    """Put the reservation's id on the current SERVER span, so that its trace can be found by it."""
    trace.get_current_span().set_attribute("aguante.reservation_id", reservation_id)


@web.middleware
async def _observed(request: web.Request, handler: Handler) -> web.StreamResponse:
    route = _route_of(request)
    telemetry = request.app[TELEMETRY]
    if route in _UNOBSERVED:
        return await _responded(request, handler, secrets.token_hex(16))
    started_s = time.perf_counter()
    parent = tracing.extract(request.headers)
    span = telemetry.tracing.start(
        f"{request.method} {route}" if route else request.method,
        SpanKind.SERVER,
        _request_attributes(request, route),
        parent,
    )
    token = otel_context.attach(trace.set_span_in_context(span, parent))
    telemetry.metrics.active_requests.inc()
    response: web.StreamResponse | None = None
    try:
        response = await _responded(request, handler, tracing.trace_id_hex(span))
        if PROBLEM in response:
            request.app[FAILURE_LOG].record(response[PROBLEM], telemetry.service)
        return response
    finally:
        telemetry.metrics.active_requests.dec()
        otel_context.detach(token)
        duration_s = time.perf_counter() - started_s
        _finish(telemetry, span, _method_label(request), route, response, duration_s)


async def _responded(request: web.Request, handler: Handler, trace_id: str) -> web.StreamResponse:
    try:
        response = await handler(request)
    except Problem as problem:
        response = _problem_response(request, problem, trace_id)
    except web.HTTPException as exception:
        response = _problem_response(request, _problem_of_aiohttp(request, exception), trace_id)
        if "Allow" in exception.headers:
            response.headers["Allow"] = exception.headers["Allow"]
    except Exception:  # noqa: BLE001 - the last resort: the client gets a problem whatever it is
        path = printable(request.path, PATH_CHARS_MAX)
        _LOG.exception("unexpected failure in %s %s", request.method, path)
        detail = "An unexpected failure; the service's log has it under this trace id."
        unknown = Problem(Mechanism.INTERNAL_ERROR, detail, definite=False, settled=False)
        response = _problem_response(request, unknown, trace_id)
    response.headers["X-Trace-Id"] = trace_id
    return response


def _problem_response(request: web.Request, problem: Problem, trace_id: str) -> web.Response:
    headers = dict(problem.headers)
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(problem.retry_after_s)))
    response = web.Response(
        body=problem.body(request.app[TELEMETRY].service, trace_id),
        status=problem.status,
        headers=headers,
        content_type=PROBLEM_TYPE,
    )
    response[PROBLEM] = problem
    return response


PROBLEM: web.ResponseKey[Problem] = web.ResponseKey("problem", Problem)

_OF_AIOHTTP = {
    405: (Mechanism.METHOD_NOT_ALLOWED, "Use one of the methods in the Allow header."),
    413: (Mechanism.BODY_TOO_LARGE, f"The body must not be longer than {BODY_BYTES_MAX} bytes."),
    415: (Mechanism.UNSUPPORTED_MEDIA_TYPE, "Send the body as application/json."),
}


def _problem_of_aiohttp(request: web.Request, exception: web.HTTPException) -> Problem:
    if exception.status == 404:
        detail = f"There is no such path; known paths: {request.app[PATHS]}."
        return Problem(Mechanism.NOT_FOUND, detail)
    mechanism, detail = _OF_AIOHTTP.get(exception.status, (Mechanism.BAD_REQUEST, exception.reason))
    return Problem(mechanism, detail)


def _route_of(request: web.Request) -> str:
    """Return the template of the path; empty for an unknown path, since a label must not take arbitrary values."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""


def _method_label(request: web.Request) -> str:
    """Return the method if a route of ours has it, else `_OTHER`: there are thirty, and each would be a label."""
    return request.method if request.method in request.app[METHODS] else "_OTHER"


def _request_attributes(request: web.Request, route: str) -> dict[str, str]:
    return {
        "http.request.method": request.method,
        "url.scheme": "http",
        "url.path": printable(request.path, PATH_CHARS_MAX),
        "http.route": route,
    }


def _finish(
    telemetry: Telemetry,
    span: Span,
    method: str,
    route: str,
    response: web.StreamResponse | None,
    duration_s: float,
) -> None:
    status = 499 if response is None else response.status  # None: cancelled by a shutdown
    problem = None if response is None else response.get(PROBLEM)
    span.set_attribute("http.response.status_code", status)
    if problem is not None:
        span.set_attribute("error.type", problem.mechanism.value)
        span.set_attribute("aguante.origin", problem.origin or telemetry.service)
        if problem.link is not None:
            span.set_attribute("aguante.link", problem.link)
        if problem.reservation_id is not None:
            span.set_attribute("aguante.reservation_id", problem.reservation_id)
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))
    span.end()
    mechanism = None if problem is None else problem.mechanism
    telemetry.emit(
        RequestFinished(method, route, status, mechanism, duration_s, tracing.trace_id_hex(span))
    )


async def _healthz(request: web.Request) -> web.StreamResponse:
    return web.json_response({"status": "alive"})


async def _readyz(request: web.Request) -> web.StreamResponse:
    reasons = [reason for check in request.app[READY_CHECKS] if (reason := await check())]
    if reasons:
        raise Problem(Mechanism.DATABASE_UNAVAILABLE, f"Not ready: {'; '.join(reasons)}.")
    return web.json_response({"status": "ready"})


async def _metrics(request: web.Request) -> web.StreamResponse:
    body, content_type = request.app[TELEMETRY].metrics.render(request.headers.get("Accept", ""))
    return web.Response(body=body, headers={"Content-Type": content_type})


async def _policy(request: web.Request) -> web.StreamResponse:
    return respond_json(request.app[POLICY])


COMMON_ROUTES = [
    web.get("/healthz", _healthz, allow_head=False),
    web.get("/readyz", _readyz, allow_head=False),
    web.get("/metrics", _metrics, allow_head=False),
    web.get("/policy", _policy, allow_head=False),
]
_UNOBSERVED = frozenset(route.path for route in COMMON_ROUTES)
