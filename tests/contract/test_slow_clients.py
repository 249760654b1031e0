"""Clients that are slow, silent, greedy or many: each wait has a limit in seconds, and nothing of them stays.

Every behaviour is shown on both loops: services run on uvloop, whose transports differ in small ways.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
import uvloop
from hostile_harness import Service, Wire, service, wire

from services.kit.http import json_body
from services.kit.http.limits import ConnectionLimits, connections_max

QUICK = ConnectionLimits(head_s=0.3, idle_s=0.5, linger_s=0.2, unread_s=0.3)
GET = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
LONG = b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run one coroutine on a loop of its own."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else None

    def to_its_end(coroutine: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(asyncio.wait_for(coroutine, 10))

    return to_its_end


async def drip(connection: Wire, data: bytes, every_s: float) -> None:
    for byte in data:
        connection.send(bytes([byte]))
        await asyncio.sleep(every_s)


def test_a_head_that_drips_gets_408_and_is_closed(run: Run) -> None:
    """Slowloris: a byte now and then does not renew the limit of a head."""

    async def scenario() -> None:
        async with service(QUICK) as here, wire(here.port) as slow:
            began_s = time.monotonic()
            dripping = asyncio.create_task(drip(slow, GET + b"x" * 200, 0.02))
            answer = await slow.answer()
            took_s = time.monotonic() - began_s
            assert (answer.status, answer.mechanism) == (408, "bad_request")
            assert 0.25 < took_s < 4.0  # the whole would take longer
            assert len(answer.headers["x-trace-id"]) == 32
            dripping.cancel()
            await here.until_connections(0)

    run(scenario())


def test_a_second_head_that_drips_is_closed_too(run: Run) -> None:
    """The limit of a head holds for each request of a connection, not for the first alone."""

    async def scenario() -> None:
        async with service(replace(QUICK, idle_s=5)) as here, wire(here.port) as slow:
            slow.send(GET)
            assert (await slow.answer()).status == 404
            slow.send(b"GET /now")
            assert (await slow.answer()).status == 408
            await here.until_connections(0)

    run(scenario())


def test_a_head_in_two_parts_is_no_harm(run: Run) -> None:
    """A head that arrives in pieces but in time is answered, and the connection lives on past the limit."""

    async def scenario() -> None:
        limits = replace(QUICK, head_s=1.0, idle_s=10)
        async with service(limits) as here, wire(here.port) as slow:
            for _ in range(3):
                slow.send(GET[:10])
                await asyncio.sleep(0.15)
                slow.send(GET[10:])
                assert (await slow.answer()).status == 404
            await asyncio.sleep(1.2)
            slow.send(GET)
            assert (await slow.answer()).status == 404

    run(scenario())


@pytest.mark.parametrize("first", [b"", GET], ids=["never", "no_more"])
def test_a_silent_connection_is_closed(run: Run, first: bytes) -> None:
    """A client that sends nothing, or nothing more, does not hold a connection for ever."""

    async def scenario() -> None:
        async with service(QUICK) as here, wire(here.port) as silent:
            silent.send(first)
            if first:
                assert (await silent.answer()).status == 404
            assert here.open_connections() == 1
            assert await silent.closed()
            await here.until_connections(0)

    run(scenario())


def test_a_body_that_drips_gets_400_and_is_closed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of a body is for the whole of it; what still drips after the answer is not waited for."""
    monkeypatch.setattr(json_body, "BODY_S", 0.3)

    async def scenario() -> None:
        async with service(QUICK) as here, wire(here.port) as slow:
            slow.send(POST + b"Content-Length: 500\r\n\r\n")
            dripping = asyncio.create_task(drip(slow, b" " * 500, 0.02))
            answer = await slow.answer()
            assert (answer.status, answer.mechanism) == (400, "bad_request")
            await here.until_connections(0)
            dripping.cancel()

    run(scenario())


def test_a_chunked_body_without_end_is_cut_off(run: Run) -> None:
    """A body that never says how long it is gets 413 as soon as it is too long, and is not read for ever."""

    async def scenario() -> None:
        async with service(QUICK) as here, wire(here.port) as endless:
            endless.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
            pouring = asyncio.create_task(pour(endless, b"800\r\n" + b" " * 2048 + b"\r\n"))
            answer = await endless.answer()
            assert (answer.status, answer.mechanism) == (413, "body_too_large")
            await here.until_connections(0)
            pouring.cancel()

    run(scenario())


def test_a_body_that_nobody_wants_is_not_read_for_ever(run: Run) -> None:
    """A 404 is answered at once; the gigabytes that follow it are read for ``linger_s`` and no longer."""

    async def scenario() -> None:
        async with service(QUICK) as here, wire(here.port) as greedy:
            greedy.send(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n")
            pouring = asyncio.create_task(pour(greedy, b" " * 4096))
            assert (await greedy.answer()).status == 404
            await here.until_connections(0)
            pouring.cancel()

    run(scenario())


async def pour(connection: Wire, data: bytes) -> None:
    while True:
        connection.send(data)
        await asyncio.sleep(0.005)


def test_a_client_that_is_gone_before_its_body_is_read_is_no_fault_of_ours(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """However early it hangs up: no failure in the log, and no 500 among the answers that it did not wait for."""

    async def scenario() -> None:
        async with service(QUICK) as here:
            for turns in range(6):
                await hang_up_after(here, turns)
            await here.until_connections(0)
            assert answered(here, "400", "bad_request") > 0
            assert answered(here, "500", "internal_error") == 0

    run(scenario())
    assert "unexpected failure" not in caplog.text


class Gone(asyncio.Transport):
    """The transport of a client that is no longer there."""

    def write(self, data: object) -> None:
        """Lose it."""

    def close(self) -> None:
        """Be closed already."""

    def is_closing(self) -> bool:
        """Be closed already."""
        return True


async def hang_up_after(here: Service, turns: int) -> None:
    """Send a head, and lose the connection so many turns of the loop later: each leaves aiohttp in another state."""
    connection = here.server()
    connection.connection_made(Gone())
    await asyncio.sleep(0.01)
    connection.data_received(POST + b"Content-Length: 50\r\n\r\n{")
    for _ in range(turns):
        await asyncio.sleep(0)
    connection.connection_lost(None)
    await asyncio.sleep(0.01)


def answered(here: Service, status: str, error_type: str) -> float:
    labels = {"http_request_method": "POST", "http_route": "/things", "error_type": error_type}
    name = "http_server_request_duration_seconds_count"
    return here.watched.count(name, http_response_status_code=status, **labels)


def test_a_client_that_does_not_read_is_cut_off(run: Run) -> None:
    """Unread responses pile up only until the buffers are full, and then for ``unread_s``."""

    async def scenario() -> None:
        async with service(QUICK) as here, wire(here.port) as deaf:
            deaf.writer.transport.pause_reading()
            asking = asyncio.create_task(ask_on(deaf))
            await here.until_connections(1)
            await here.until_connections(0, limit_s=5)
            asking.cancel()
            assert here.watched.count("http_server_active_requests") == 0

    run(scenario())


async def ask_on(connection: Wire) -> None:
    while True:
        connection.send(LONG * 20)
        await asyncio.sleep(0.01)


def test_a_farewell_that_nobody_reads_is_cut_off(run: Run) -> None:
    """Closing waits for the client to read a rest that fits in the buffers, but not for ever."""

    async def scenario() -> None:
        async with service(QUICK) as here, wire(here.port) as deaf:
            deaf.writer.transport.pause_reading()
            deaf.send(LONG.replace(b"Host: x", b"Host: x\r\nConnection: close"))
            await here.until_connections(1)
            await here.until_connections(0, limit_s=5)

    run(scenario())


def test_connections_beyond_the_limit_are_told_so(run: Run) -> None:
    """One connection too many gets 429 with Retry-After, further ones are aborted, and one that closes makes room."""

    async def scenario() -> None:
        limits = ConnectionLimits(connections=2, refused=1)
        async with service(limits) as here, AsyncExitStack() as stack:
            held = [await stack.enter_async_context(wire(here.port)) for _ in range(2)]
            await here.until_connections(2)
            told = await stack.enter_async_context(wire(here.port))
            await here.until_connections(3)
            cut = await stack.enter_async_context(wire(here.port))
            assert await cut.closed()
            told.send(LONG)
            answer = await told.answer()
            assert (answer.status, answer.mechanism) == (429, "semaphore_full")
            assert answer.headers["retry-after"] == "1"
            assert await told.closed()
            held[0].writer.transport.abort()
            await here.until_connections(1)
            assert await is_served(here)

    run(scenario())


async def is_served(here: Service) -> bool:
    async with wire(here.port) as another:
        another.send(LONG)
        return (await another.answer()).status == 200


def test_pipelined_requests_are_answered_in_order_and_queued_within_bounds(run: Run) -> None:
    """A client may send ahead; what it sends ahead waits in its own socket, not in our memory."""

    async def scenario() -> None:
        async with service() as here, wire(here.port) as hasty:
            hasty.send((GET + LONG) * 500)
            queued = 0
            for _ in range(500):
                assert (await hasty.answer()).status == 404
                assert (await hasty.answer()).status == 200
                queued = max(queued, *(len(c._messages) for c in here.server.connections))
            assert queued <= 32

    run(scenario())


def test_connections_are_fewer_than_files() -> None:
    """Half of the files that a process may open are left for its calls and its database."""
    assert connections_max(1_024) == 512
    assert connections_max(1_000_000) == 2_000
    assert connections_max(1) == 1


def test_an_idle_connection_outlives_a_callers_pool() -> None:
    """A caller of ours keeps a connection 15 s: if we closed before it, its next request would be lost."""
    assert ConnectionLimits().idle_s > 15
