"""Every bound on what a client may send: at the bound it is taken, one beyond it is refused, and never with a 500.

docs/bounds.md lists them all.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hostile_harness import Answer, Service, service, wire

from services.kit.failures.problem import BODY_BYTES_MAX
from services.kit.http.json_body import DEPTH_MAX, KEY_CHARS_MAX, KEYS_MAX
from services.kit.http.limits import HEAD_BYTES_MAX, HEADERS_MAX
from services.kit.http.server import PATH_CHARS_MAX

GOOD = b'{"name": "a", "count": 1}'
HEAD = b"POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def post(body: bytes, *more: bytes) -> bytes:
    """Return a request with a body of a stated length."""
    length = b"Content-Length: %d\r\n" % len(body)
    return HEAD + b"".join(line + b"\r\n" for line in more) + length + b"\r\n" + body


def chunked(body: bytes) -> bytes:
    """Return a request whose body comes in two chunks, without a length."""
    parts = (body[: len(body) // 2], body[len(body) // 2 :])
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def get(path: bytes, *headers: bytes) -> bytes:
    """Return a request without a body."""
    lines = b"".join(line + b"\r\n" for line in headers)
    return b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n"


def padded(length: int) -> bytes:
    return GOOD + b" " * (length - len(GOOD))


def with_keys(count: int) -> bytes:
    return b"{" + b", ".join(b'"k%d": 1' % number for number in range(count)) + b"}"


def nested(levels: int) -> bytes:
    return b'{"name": ' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def named(key: bytes) -> bytes:
    return b'{"' + key + b'": 1}'


@asynccontextmanager
async def asked(request: bytes) -> AsyncIterator[tuple[Answer, Service]]:
    async with service() as here, wire(here.port) as connection:
        connection.send(request)
        yield await connection.answer(), here


LENGTHS = [
    (post(padded(BODY_BYTES_MAX)), 200, ""),
    (post(padded(BODY_BYTES_MAX + 1)), 413, "body_too_large"),
    (chunked(padded(BODY_BYTES_MAX)), 200, ""),
    (chunked(padded(BODY_BYTES_MAX + 1)), 413, "body_too_large"),
    (HEAD + b"\r\n", 400, "bad_request"),
    (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", 400, "bad_request"),
    (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400, "bad_request"),
    (get(b"/" + b"a" * (HEAD_BYTES_MAX - 100)), 404, "not_found"),
    (get(b"/" + b"a" * HEAD_BYTES_MAX), 400, "bad_request"),
    (get(b"/nowhere", b"X: " + b"a" * (HEAD_BYTES_MAX - 100)), 404, "not_found"),
    (get(b"/nowhere", b"X: " + b"a" * (HEAD_BYTES_MAX + 1)), 400, "bad_request"),
    (get(b"/nowhere", *[b"X: a"] * (HEADERS_MAX - 2)), 404, "not_found"),
    (get(b"/nowhere", *[b"X: a"] * (HEADERS_MAX + 1)), 400, "bad_request"),
]
DOCUMENTS = [
    (nested(DEPTH_MAX), 422, "invalid_input"),
    (nested(DEPTH_MAX + 1), 400, "bad_request"),
    (nested(990), 400, "bad_request"),
    (nested(5000), 400, "bad_request"),
    (with_keys(KEYS_MAX), 422, "invalid_input"),
    (with_keys(KEYS_MAX + 1), 400, "bad_request"),
    (named(b"k" * KEY_CHARS_MAX), 422, "invalid_input"),
    (named(b"k" * (KEY_CHARS_MAX + 1)), 400, "bad_request"),
    (b'{"name": "a", "count": 1, "count": 2}', 400, "bad_request"),
    (b'{"name": "a", "count": 1, "c\\u006funt": 2}', 400, "bad_request"),
    (b'{"name": {"x": 1, "x": 2}, "count": 1}', 400, "bad_request"),
]
NUMBERS = [
    (b"1", 200, ""),
    (b"1.0", 200, ""),
    (b"10e-1", 200, ""),
    (b"-0", 422, "invalid_input"),
    (b"0", 422, "invalid_input"),
    (b"10", 422, "invalid_input"),
    (b"1.5", 422, "invalid_input"),
    (b"9007199254740993.0", 422, "invalid_input"),
    (b"1" * 30, 422, "invalid_input"),
    (b"1" * 5000, 400, "bad_request"),
    (b"1e30", 422, "invalid_input"),
    (b"1e999999", 422, "invalid_input"),
    (b"-1e999999", 422, "invalid_input"),
    (b"1e-999999", 422, "invalid_input"),
    (b"NaN", 400, "bad_request"),
    (b"Infinity", 400, "bad_request"),
    (b"01", 400, "bad_request"),
    (b"0x1", 400, "bad_request"),
    (b'"1"', 422, "invalid_input"),
    (b"true", 422, "invalid_input"),
    (b"null", 422, "invalid_input"),
]
TEXTS = [
    (b'"a"', 200, ""),
    ('"ñandú"'.encode(), 200, ""),
    (b'"' + b"a" * 9 + b'"', 422, "invalid_input"),
    (b'""', 422, "invalid_input"),
    (b'"\\ud800"', 400, "bad_request"),
    (b'"\xed\xa0\x80"', 400, "bad_request"),
    (b'"\xff"', 400, "bad_request"),
    (b'"a\nb"', 400, "bad_request"),
    (b"'a'", 400, "bad_request"),
]
HEADERS = [
    (b"baggage: aguante.phase=\xff", 200, ""),
    (b"baggage: " + b"a=b," * 1900, 200, ""),
    (b"traceparent: 00-\xff", 200, ""),
    (b"tracestate: " + b"a=b," * 1900, 200, ""),
    (b"Expect: magic", 200, ""),
    (b"Cookie: \xff=;;=", 200, ""),
    (b"Accept: application/xml;q=x", 200, ""),
    (b"Content-Encoding: gzip", 415, "unsupported_media_type"),
]


async def hold(request: bytes, status: int, mechanism: str) -> None:
    async with asked(request) as (answer, _):
        assert answer.status == status, answer.body
        assert status == 200 or answer.mechanism == mechanism


def shown(value: object) -> str | None:
    return ascii(value)[:50] if isinstance(value, bytes) else None


@pytest.mark.parametrize(("request_", "status", "mechanism"), LENGTHS, ids=shown)
async def test_lengths_and_counts(request_: bytes, status: int, mechanism: str) -> None:
    """Body (with, without and beyond its length), request line, header and number of headers."""
    await hold(request_, status, mechanism)


@pytest.mark.parametrize(("body", "status", "mechanism"), DOCUMENTS, ids=shown)
async def test_the_shape_of_a_document(body: bytes, status: int, mechanism: str) -> None:
    """Depth, number of keys, length of a key, and a key that is there twice, however it is written."""
    await hold(post(body), status, mechanism)


@pytest.mark.parametrize(("number", "status", "mechanism"), NUMBERS, ids=shown)
async def test_numbers(number: bytes, status: int, mechanism: str) -> None:
    """A whole number is one however it is written; everything else has its own 4xx."""
    await hold(post(b'{"name": "a", "count": ' + number + b"}"), status, mechanism)


@pytest.mark.parametrize(("text", "status", "mechanism"), TEXTS, ids=shown)
async def test_texts(text: bytes, status: int, mechanism: str) -> None:
    """Broken encodings are no JSON; too long or too short is out of bounds."""
    await hold(post(b'{"count": 1, "name": ' + text + b"}"), status, mechanism)


@pytest.mark.parametrize(("header", "status", "mechanism"), HEADERS, ids=shown)
async def test_headers_that_mean_nothing_to_us(header: bytes, status: int, mechanism: str) -> None:
    """What cannot be read is ignored where it only describes, and refused where it would change the meaning."""
    await hold(post(GOOD, header), status, mechanism)


@pytest.mark.parametrize("path", [b"/nowhere", b"/things"])
@pytest.mark.parametrize("expected", [b"magic", b"", b"\xff", b"100-continue, magic"])
async def test_an_unknown_expect_is_ignored_everywhere(path: bytes, expected: bytes) -> None:
    """On a path that is not ours and a method that it has not, too: 404 and 405 as ever, and as a problem."""
    async with asked(get(path, b"Expect: " + expected)) as (answer, _):
        assert answer.status == (404 if path == b"/nowhere" else 405)
        assert answer.mechanism in ("not_found", "method_not_allowed")


DEADLINES = [
    (b"5000", 200),
    (b"0", 200),
    (b"3600000", 200),
    (b"3600001", 400),
    (b"9" * 40, 400),
    (b"-1", 400),
    (b"+1", 400),
    (b"1.5", 400),
    (b"1e3", 400),
    (b"NaN", 400),
    (b"Infinity", 400),
    (b"", 400),
    (b"1 000", 400),
    (b"\xd9\xa1", 400),
    (b"\xb2", 400),
    (b"soon", 400),
]


@pytest.mark.parametrize(("value", "status"), DEADLINES, ids=shown)
async def test_a_deadline_is_whole_milliseconds_within_bounds(value: bytes, status: int) -> None:
    """A caller's deadline that is none is refused: to guess would be to wait for ever, or not at all."""
    async with asked(get(b"/wait", b"X-Deadline-Ms: " + value)) as (answer, _):
        assert answer.status == status
        assert status == 200 or answer.mechanism == "bad_request"


async def test_a_span_carries_a_bounded_path() -> None:
    """Neither the length nor the bytes of a path can spoil the batch that its span is exported in."""
    async with asked(get(b"/%0a%ff\xc3\xb1" + b"a" * 2000)) as (answer, here):
        assert 400 <= answer.status < 500
    async with asked(get(b"/%0a%ff" + b"a" * 2000)) as (answer, here):
        assert answer.status == 404
        (span,) = here.watched.spans()
        path = str((span.attributes or {})["url.path"])
        assert len(path) == PATH_CHARS_MAX
        assert path.isprintable()


async def test_what_is_no_request_leads_to_no_trace() -> None:
    """It is counted, without an exemplar: there is no span that its trace id could lead to."""
    async with service() as here, wire(here.port) as connection:
        connection.send(b"this is no HTTP\r\n\r\n")
        assert (await connection.answer()).status == 400
        text = here.watched.metrics.render("application/openmetrics-text")[0].decode()
    assert re.search(r'_count\{error_type="bad_request",.*http_route=""\} 1\.0', text)
    assert "trace_id" not in text


async def test_unknown_paths_and_methods_make_no_labels() -> None:
    """A hundred paths and every method that the parser knows: one child each for 404 and 405."""
    methods = [b"GET", b"PUT", b"PATCH", b"PROPFIND", b"M-SEARCH", b"REPORT", b"TRACE", b"PURGE"]
    async with service() as here, wire(here.port) as connection:
        for number in range(100):
            path = b"/things" if number % 2 else b"/nowhere/%d" % number
            method = methods[number % len(methods)]
            connection.send(get(path).replace(b"GET", method, 1))
            assert (await connection.answer()).status == (405 if number % 2 else 404)
        exposed = here.watched.metrics.render("")[0].decode()
    counted = re.findall(r"^http_server_request_duration_seconds_count\{(.*)\}", exposed, re.M)
    seen = [labels for labels in counted if '_code="200"' not in labels]
    assert len(seen) <= 4
    assert {re.findall(r'method="(\w+)"', labels)[0] for labels in seen} <= {"GET", "_OTHER"}


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"CONNECT \r\n\r\n", 404),
        (b"GET /nowhere\r\n\r\n", 404),
        (b"GET /nowhere HTTP/2.0\r\n\r\n", 404),
        (b"GET /nowhere HTTP/1.0\r\n\r\n", 404),
        (b"GET /nowhere HTTP/9.9\r\n\r\n", 400),
    ],
    ids=shown,
)
async def test_versions_that_we_do_not_speak(request_: bytes, status: int) -> None:
    """Answered as HTTP/1.0 and closed, even when the request line has no target and no version at all."""
    async with service() as here, wire(here.port) as connection:
        connection.send(request_)
        assert (await connection.reader.readexactly(13)) == b"HTTP/1.0 %d " % status
        await connection.reader.readuntil(b"\r\n\r\n")
        assert b"urn:aguante:problem:" in await connection.reader.read()


async def test_thousands_of_unknown_keys_cost_nothing() -> None:
    """A body full of keys is refused by their number, not after looking each up and naming it."""
    async with asked(post(with_keys(1200))) as (answer, _):
        assert answer.status == 400
        assert len(answer.body) < 1000


async def test_a_refused_answer_is_short_whatever_was_sent() -> None:
    """Input that is repeated in a response is cut: a client cannot make the service write arbitrarily long text."""
    long = b"X" * 8000
    for request in (
        post(GOOD, b"Content-Type: " + long).replace(b"Content-Type: application/json\r\n", b""),
        post(b'{"name": "' + long + b'", "count": 1}'),
        post(named(b"k" * 60)),
        get(b"/" + long),
    ):
        async with asked(request) as (answer, _):
            assert 400 <= answer.status < 500
            assert len(answer.body) < 1000


async def test_a_hundred_continue_is_said_once_and_the_body_read() -> None:
    """The one expectation that we know."""
    async with service() as here, wire(here.port) as connection:
        connection.send(HEAD + b"Expect: 100-Continue\r\nContent-Length: %d\r\n\r\n" % len(GOOD))
        async with asyncio.timeout(3):
            assert (
                await connection.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            )
        connection.send(GOOD)
        assert (await connection.answer()).status == 200
