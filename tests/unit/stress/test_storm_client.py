"""The client of the storm sends each request once and records exactly what it saw."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from aguante.load_protocol.records import RequestRecord
from stress.client import Client, ReservationRequest
from stress.ledger import Ledger

ORDER = ReservationRequest("k1", "ann", "e1", 2)
TRACE = "0" * 31 + "1"


class Gateway:
    """A fake gateway that behaves as ``then`` says and keeps every request."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, object]] = []
        self.then = "confirm"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.method == "POST" else None
        key = request.headers.get("Idempotency-Key", "")
        self.requests.append((request.path, key, body))
        if self.then == "cut":
            assert request.transport
            request.transport.abort()
        if self.then == "wait":
            await asyncio.sleep(0.5)
        if self.then == "fail":
            problem = {
                "mechanism": "timeout",
                "origin": "reservations",
                "link": "reservations-payments",
                "definite": True,
                "settled": False,
                "reservation_id": "r1",
            }
            return web.json_response(problem, status=504, headers={"X-Trace-Id": TRACE})
        confirmed = {"reservation_id": "r1", "state": "CONFIRMED"}
        return web.json_response(confirmed, headers={"X-Trace-Id": TRACE})


@pytest.fixture
async def gateway() -> AsyncIterator[tuple[Gateway, str]]:
    gateway, app = Gateway(), web.Application()
    app.router.add_route("*", "/{path:.*}", gateway.handle)
    async with TestServer(app) as server:
        yield gateway, str(server.make_url("")).rstrip("/")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        yield ledger


async def test_a_confirmed_reservation_is_recorded(
    gateway: tuple[Gateway, str], ledger: Ledger, tmp_path: Path
) -> None:
    """With its key, id and trace, in memory and in the file."""
    async with Client(gateway[1], ledger) as client:
        record = await client.reserve(ORDER)
    assert (record.status, record.reservation_id, record.idempotency_key) == (200, "r1", "k1")
    assert (record.trace_id, record.event_id, record.operation) == (TRACE, "e1", "reserve")
    assert gateway[0].requests == [
        ("/reserve", "k1", {"user_id": "ann", "event_id": "e1", "quantity": 2})
    ]
    written = (tmp_path / "ledger.jsonl").read_bytes().splitlines()
    assert [msgspec.json.decode(line, type=RequestRecord) for line in written] == [record]
    assert ledger.records == [record]


async def test_a_failure_keeps_the_members_of_the_problem(
    gateway: tuple[Gateway, str], ledger: Ledger
) -> None:
    """Mechanism, origin, link, definite and settled."""
    gateway[0].then = "fail"
    async with Client(gateway[1], ledger) as client:
        record = await client.reserve(ORDER)
    assert (record.status, record.mechanism, record.origin) == (504, "timeout", "reservations")
    assert (record.link, record.definite, record.settled) == ("reservations-payments", True, False)


async def test_a_read_that_loses_its_connection_is_not_sent_again(
    gateway: tuple[Gateway, str], ledger: Ledger
) -> None:
    """Not even on a connection that was used before, where aiohttp would resend it."""
    async with Client(gateway[1], ledger) as client:
        await client.read_event("e1")
        gateway[0].then = "cut"
        record = await client.read_event("e1")
    assert (record.status, record.mechanism) == (0, "client_disconnected")
    assert len(gateway[0].requests) == 2


async def test_a_client_disconnects_at_its_timeout(
    gateway: tuple[Gateway, str], ledger: Ledger
) -> None:
    """The outcome of its request is unknown."""
    gateway[0].then = "wait"
    async with Client(gateway[1], ledger) as client:
        record = await client.reserve(ORDER, patience_s=0.02)
    assert (record.status, record.mechanism, record.definite) == (0, "client_timeout", False)


async def test_a_closed_port_is_refused(ledger: Ledger) -> None:
    """The record has status 0 and ``client_refused``."""
    async with Client(f"http://127.0.0.1:{unused_port()}", ledger) as client:
        record = await client.reserve(ORDER)
    assert (record.status, record.mechanism) == (0, "client_refused")


async def test_a_read_returns_the_state(gateway: tuple[Gateway, str], ledger: Ledger) -> None:
    """Its record names the reservation even when the read failed."""
    async with Client(gateway[1], ledger) as client:
        reading = await client.read_reservation("r9")
        gateway[0].then = "fail"
        failed = await client.read_reservation("r9")
    assert (reading.state, reading.record.reservation_id) == ("CONFIRMED", "r9")
    assert (failed.state, failed.record.reservation_id) == ("", "r9")
