"""How every service responds to bad input, and what its telemetry shows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import aiohttp
import msgspec
import pytest
from aiohttp import web
from kit_harness import Watched, default_policy, listening
from opentelemetry.trace import StatusCode

from services.kit.failures.problem import BODY_BYTES_MAX, Mechanism, Problem
from services.kit.http import json_body
from services.kit.http.server import (
    READY_CHECKS,
    make_app,
    note_reservation,
    read_json,
    received_deadline,
    respond_json,
)
from services.kit.policy.findings import Strict

JSON = {"Content-Type": "application/json"}


class Body(Strict, frozen=True):
    """What the test service expects."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=8)]
    count: Annotated[int, msgspec.Meta(ge=1)]


class Said(msgspec.Struct):
    """What the test service answers."""

    remaining_s: float


class World:
    """A service with one route of each kind, and a client."""

    def __init__(self, url: str, session: aiohttp.ClientSession, watched: Watched) -> None:
        self.url = url
        self.session = session
        self.watched = watched
        self.finished = asyncio.Event()

    async def ask(self, method: str, path: str, **kwargs: object) -> tuple[int, dict[str, object]]:
        async with self.session.request(method, self.url + path, **kwargs) as response:  # type: ignore[arg-type]
            assert len(response.headers["X-Trace-Id"]) == 32
            body: dict[str, object] = msgspec.json.decode(await response.read())
            if response.status >= 300:
                assert response.content_type == "application/problem+json"
                assert body["status"] == response.status
                assert body["trace_id"] == response.headers["X-Trace-Id"]
            return response.status, body


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    watched = Watched("payments")
    async with aiohttp.ClientSession() as session:
        here = World("", session, watched)

        async def post(request: web.Request) -> web.StreamResponse:
            body = await read_json(request, Body)
            note_reservation(body.name)
            return respond_json(Said(received_deadline(request).remaining_s()))

        async def broken(request: web.Request) -> web.StreamResponse:
            raise ZeroDivisionError

        async def declined(request: web.Request) -> web.StreamResponse:
            raise Problem(
                Mechanism.TIMEOUT, "d", origin="x", link="payments-db", reservation_id="r-9"
            )

        async def slow(request: web.Request) -> web.StreamResponse:
            await asyncio.sleep(0.2)
            here.finished.set()
            return respond_json(Said(0))

        routes = [
            web.post("/things", post),
            web.post("/slow", slow),
            web.get("/broken", broken, allow_head=False),
            web.get("/things/{id}", declined, allow_head=False),
        ]
        app = make_app(default_policy(), watched.telemetry, routes)
        app[READY_CHECKS].append(lambda: _ready(here))
        async with listening(app) as here.url:
            yield here


async def _ready(here: World) -> str | None:
    return None if here.finished.is_set() else "payments-db: not reachable yet"


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "mechanism"),
    [
        ("GET", "/nowhere", None, {}, 404, "not_found"),
        ("GET", "/things", None, {}, 405, "method_not_allowed"),
        ("DELETE", "/things/1", None, {}, 405, "method_not_allowed"),
        ("POST", "/things", b"{}", {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        ("POST", "/things", b"{}", {"Content-Type": ""}, 415, "unsupported_media_type"),
        ("POST", "/things", b" " * (BODY_BYTES_MAX + 1), JSON, 413, "body_too_large"),
        ("POST", "/things", b"", JSON, 400, "bad_request"),
        ("POST", "/things", b"{", JSON, 400, "bad_request"),
        ("POST", "/things", b"\xff\xfe{}", JSON, 400, "bad_request"),
        ("POST", "/things", b'{"count": NaN}', JSON, 400, "bad_request"),
        ("POST", "/things", b"[" * 5000, JSON, 400, "bad_request"),
        ("POST", "/things", b"[]", JSON, 422, "invalid_input"),
        ("POST", "/things", b"null", JSON, 422, "invalid_input"),
        ("POST", "/things", b'{"name": "a", "count": true}', JSON, 422, "invalid_input"),
        ("POST", "/things", b'{"name": "a", "count": 1.5}', JSON, 422, "invalid_input"),
        ("POST", "/things", b'{"name": "a", "count": "1"}', JSON, 422, "invalid_input"),
        ("POST", "/things", b'{"name": "a", "count": 1, "more": 1}', JSON, 422, "invalid_input"),
        (
            "POST",
            "/things",
            b'{"name": "a", "count": 1}',
            {**JSON, "X-Deadline-Ms": "soon"},
            400,
            "bad_request",
        ),
        ("GET", "/broken", None, {}, 500, "internal_error"),
    ],
)
async def test_bad_input_gets_its_own_4xx(
    method: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
    status: int,
    mechanism: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each kind of bad input has its status and mechanism, as a problem; only a fault of ours is a 500."""
    async with world() as here:
        got, problem = await here.ask(method, path, data=body, headers=headers)
    assert (got, problem["mechanism"], problem["origin"]) == (status, mechanism, "payments")
    assert ("ZeroDivisionError" in caplog.text) is (status == 500)


async def test_invalid_fields_are_reported_all_at_once() -> None:
    """A missing, an unknown and a wrong field are named in one answer."""
    async with world() as here:
        _, problem = await here.ask(
            "POST", "/things", data=b'{"nam": "", "count": 0}', headers=JSON
        )
    detail = str(problem["detail"])
    assert "nam: is not known; did you mean name?" in detail
    assert "name: is missing" in detail
    assert "count: Expected `int` >= 1; found 0" in detail


async def test_the_received_deadline_is_the_callers_less_its_margin() -> None:
    """2000 ms sent leave 1.8 s; without the header the policy's 5 s begin."""
    body = b'{"name": "r-1", "count": 1}'
    async with world() as here:
        _, sent = await here.ask(
            "POST", "/things", data=body, headers={**JSON, "X-Deadline-Ms": "2000"}
        )
        _, fresh = await here.ask("POST", "/things", data=body, headers=JSON)
    assert sent["remaining_s"] == pytest.approx(1.8, abs=0.2)
    assert fresh["remaining_s"] == pytest.approx(5, abs=0.2)


async def test_server_span_says_what_the_problem_says() -> None:
    """The SERVER span has route, status, mechanism, origin, link and reservation, and is an error on a 5xx."""
    async with world() as here:
        await here.ask("GET", "/things/7")
        await here.ask("GET", "/nowhere")
        failed, lost = here.watched.spans()
    assert failed.attributes is not None
    wanted = {
        "http.route": "/things/{id}",
        "http.response.status_code": 504,
        "error.type": "timeout",
        "aguante.origin": "x",
        "aguante.link": "payments-db",
        "aguante.reservation_id": "r-9",
    }
    assert {key: failed.attributes.get(key) for key in wanted} == wanted
    assert failed.name == "GET /things/{id}"
    assert failed.status.status_code is StatusCode.ERROR
    assert lost.status.status_code is StatusCode.UNSET


async def test_requests_are_counted_by_template_not_by_path() -> None:
    """Neither ids nor paths that are not ours may become label values."""
    async with world() as here:
        await here.ask("GET", "/things/7")
        await here.ask("GET", "/nowhere/at/all")
        name = "http_server_request_duration_seconds_count"
        labels = {"http_request_method": "GET"}
        assert (
            here.watched.count(
                name,
                **labels,
                http_route="/things/{id}",
                http_response_status_code="504",
                error_type="timeout",
            )
            == 1
        )
        assert (
            here.watched.count(
                name,
                **labels,
                http_route="",
                http_response_status_code="404",
                error_type="not_found",
            )
            == 1
        )
        assert here.watched.count("http_server_active_requests") == 0


async def test_a_client_that_hangs_up_cancels_nothing() -> None:
    """The handler runs to its end: a client that hangs up must not interrupt a saga."""
    async with world() as here:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), here.session.post(here.url + "/slow"):
                pass
        await asyncio.wait_for(here.finished.wait(), 2)


async def test_the_common_routes() -> None:
    """healthz is alive from the start; readyz gives the reason why it is not ready; policy and metrics are readable."""
    async with world() as here:
        assert (await here.ask("GET", "/healthz"))[0] == 200
        status, problem = await here.ask("GET", "/readyz")
        assert status == 503
        assert "payments-db: not reachable yet" in str(problem["detail"])
        here.finished.set()
        assert (await here.ask("GET", "/readyz"))[0] == 200
        policy = (await here.ask("GET", "/policy"))[1]
        assert policy["name"] == "default"
        assert "reservations-payments" in policy["links"]  # type: ignore[operator]
        accept = {"Accept": "application/openmetrics-text"}
        async with here.session.get(here.url + "/metrics", headers=accept) as response:
            assert response.content_type == "application/openmetrics-text"
            assert (await response.text()).endswith("# EOF\n")


async def test_common_routes_make_no_spans() -> None:
    """Probes and scrapes would drown the traces of requests."""
    async with world() as here:
        await here.ask("GET", "/healthz")
        await here.ask("GET", "/readyz")
        assert here.watched.spans() == []


async def raw(url: str, request: bytes) -> tuple[int, dict[str, object]]:
    """Send bytes that no HTTP client would, and read the answer."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request)
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2)).decode()
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        assert "application/problem+json" in head
        body: dict[str, object] = msgspec.json.decode(await reader.readexactly(length))
        return int(head.split(" ")[1]), body
    finally:
        writer.close()
        await writer.wait_closed()


POST = b"POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (b"GE(T / HTTP/1.1\r\n\r\n", 400),
        (b"FOO / HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 5000 + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\nbad header: x\r\n\r\n", 400),
        (b"GET /things/\x00 HTTP/1.1\r\n\r\n", 400),
        (POST + b"Content-Length: -1\r\n\r\n", 400),
        (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (POST + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", 415),
        (POST + b"Expect: magic\r\nContent-Length: 2\r\n\r\n{}", 422),
        (b"GET /nowhere/%zz HTTP/1.1\r\nHost: x\r\nbaggage: ,=;%zz=%ff\r\n\r\n", 404),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    ],
    ids=lambda value: repr(value[:60]) if isinstance(value, bytes) else "",
)
async def test_what_is_hardly_http_gets_a_problem_too(request_: bytes, status: int) -> None:
    """Broken request lines, headers, lengths and encodings are 4xx problems, never a 500."""
    async with world() as here:
        got, problem = await raw(here.url, request_)
        assert (got, problem["status"], problem["origin"]) == (status, status, "payments")
        assert (await here.ask("GET", "/healthz"))[0] == 200


async def test_expect_100_continue_is_honoured() -> None:
    """A client that asks before it sends its body gets 100 Continue."""
    async with world() as here:
        body = b'{"name": "r-1", "count": 1}'
        status, _ = await here.ask("POST", "/things", data=body, headers=JSON, expect100=True)
    assert status == 200


async def test_a_body_that_ends_early_is_the_clients_fault() -> None:
    """A client that goes away in the middle of its body is counted as 400, not as a fault of ours."""
    async with world() as here:
        host, port = here.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(POST + b"Content-Length: 200\r\n\r\n{")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(0.05)
        counted = here.watched.count(
            "http_server_request_duration_seconds_count",
            http_request_method="POST",
            http_route="/things",
            http_response_status_code="400",
            error_type="bad_request",
        )
    assert counted == 1


async def test_a_body_that_does_not_come_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that promises a body and sends none cannot hold its slot for ever."""
    monkeypatch.setattr(json_body, "BODY_S", 0.1)
    async with world() as here:
        status, problem = await raw(here.url, POST + b"Content-Length: 200\r\n\r\n{")
    assert (status, problem["mechanism"]) == (400, "bad_request")
