"""The attack finds each kind of faulty response and accepts valid ones."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from stress.hostile import attack as attack_module
from stress.hostile.attack import Attack, Outcome
from stress.hostile.inputs import Input
from stress.hostile.resources import Process, Resources, growth, log_checked

FRAMED = Input(b"GET /x HTTP/1.1\r\n\r\n", True, "GET", "/x")
BROKEN = Input(b"GET /x\xff", False, "GET", "/x")
PROBLEM = {
    "type": "urn:aguante:problem:not_found", "title": "t", "status": 404, "detail": "d", "origin": "o", "link": None,
    "mechanism": "not_found", "definite": True, "settled": True, "reservation_id": None, "trace_id": "0" * 32,
}  # fmt: skip


def said(
    status: int, body: bytes, kind: str = "application/problem+json", length: int | None = None
) -> bytes:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nX-Trace-Id: {'0' * 32}\r\n"
    return f"{head}Content-Length: {size}\r\n\r\n".encode() + body


def problem(code: int, **changes: object) -> bytes:
    return said(code, json.dumps({**PROBLEM, "status": code, **changes}).encode())


@asynccontextmanager
async def responding_with(response: bytes) -> AsyncIterator[int]:
    """Respond to any request with ``response``, and close."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(response)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def judged(response: bytes, sent: Input = FRAMED) -> Outcome:
    outcome = Outcome()
    async with responding_with(response) as port:
        await Attack("127.0.0.1", port, connections=1).play(iter([sent]), outcome)
    return outcome


@pytest.mark.parametrize(
    "response", [said(200, b"{}", "application/json"), problem(404), problem(503), problem(504)]
)
async def test_a_valid_response_passes(response: bytes) -> None:
    """A 2xx, and a problem with a status that an attack may cause."""
    outcome = await judged(response)
    assert (outcome.faults, outcome.inputs) == ([], 1)


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (problem(500), "500"),
        (problem(502), "502"),
        (said(404, b"404: Not Found", "text/plain"), "not a problem"),
        (said(404, b"{}"), "missing required field"),
        (problem(404, status=403), "the body says 403"),
        (problem(404, more=1), "unknown field"),
        (problem(404, detail="Traceback (most recent call last)"), "Traceback"),
        (problem(404).replace(b"X-Trace-Id", b"X-Other"), "no X-Trace-Id"),
        (said(404, b"{}", length=99), "shorter than its Content-Length"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "no valid Content-Length"),
        (b"HTTP/1.1 20", "an incomplete head"),
        (b"garbage\r\n\r\n", "no status line"),
        (b"", "closed without a response"),
    ],
)
async def test_each_faulty_response_is_found(response: bytes, why: str) -> None:
    """The fault is named together with the input that caused it."""
    outcome = await judged(response)
    assert outcome.faults_count > 0
    assert any(why in fault for fault in outcome.faults), outcome.faults
    assert "sent: b'GET /x" in outcome.faults[0]


async def test_silence_is_a_fault_only_where_a_response_was_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An incomplete request may go unanswered; a complete one may not."""
    monkeypatch.setattr(attack_module, "RESPONSE_S", 0.1)

    async def wait_for_ever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(wait_for_ever, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for sent, faults in ((BROKEN, 0), (FRAMED, 2)):
            outcome = Outcome()
            await Attack("127.0.0.1", port, connections=1).play(iter([sent]), outcome)
            assert (outcome.unanswered, outcome.faults_count) == (1, faults)


BEFORE = Resources(rss_mib=50, files=20, metric_lines=500, active_requests=0)


@pytest.mark.parametrize(
    ("after", "why"),
    [
        (Resources(67, 20, 500, 0), "memory grew by 17.0 MiB"),
        (Resources(50, 37, 500, 0), "open files grew from 20 to 37"),
        (Resources(50, 20, 3_001, 0), "3001 lines of metrics"),
        (Resources(50, 20, 500, 1), "1 requests are still active"),
    ],
)
def test_each_growth_is_found(after: Resources, why: str) -> None:
    """Growth beyond its bound is named; growth up to the bound is not."""
    (found,) = growth(BEFORE, after)
    assert why in found
    assert growth(BEFORE, Resources(66, 36, 3_000, 0)) == []


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ('{"level":"INFO","message":"x"}', 0),
        ('{"level":"ERROR","message":"x"}', 1),
        ("Traceback (most recent call last):", 1),
        ("--- Logging error ---", 1),
    ],
)
def test_only_new_errors_in_a_log_are_found(tmp_path: Path, line: str, count: int) -> None:
    """Errors logged before the attack do not count."""
    log = tmp_path / "x.log"
    log.write_text('{"level":"ERROR","message":"before"}\n')
    found: list[str] = []
    with log_checked(Process("x", "", 0, 0, log), found), log.open("a") as more:
        more.write(line + "\n")
    assert len(found) == count
