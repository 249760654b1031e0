"""One attempt over a real socket: every way to fail has its name, and is definite or not."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import msgspec
import pytest
from kit_harness import Watched

from services.kit.failures.failed import CallFailed
from services.kit.failures.problem import Mechanism
from services.kit.http.client import RESPONSE_BYTES_MAX, Link, Request, make_session
from services.kit.patterns.deadline import Deadline
from services.kit.policy.sections import DeadlinePolicy, LinkPolicy

LINK = "reservations-payments"
Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Paid(msgspec.Struct):
    """The answer of the fake callee."""

    charged: bool


GET = Request("GET", "/charges/{id}", Paid, "/charges/r-1")
OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"charged":true}'


class Calls:
    """A link to a peer with a given behaviour, and its telemetry."""

    def __init__(self, link: Link, watched: Watched) -> None:
        self.link = link
        self.watched = watched

    async def call(
        self,
        timeout_s: float = 2,
        deadline: Deadline | None = None,
        request: Request[Paid] = GET,
        first: int = 1,
    ) -> Paid:
        """Make one attempt: through a pipeline with no layer but the timeout."""
        pipeline = self.link.pipeline(
            LinkPolicy(timeout_s=timeout_s, retry=None, breaker=None, bulkhead=None)
        )
        return await self.link.call(request, pipeline, deadline or Deadline.unlimited(), first)

    async def fails(
        self, timeout_s: float = 2, deadline: Deadline | None = None, request: Request[Paid] = GET
    ) -> CallFailed:
        with pytest.raises(CallFailed) as failed:
            await self.call(timeout_s, deadline, request)
        return failed.value


@asynccontextmanager
async def calls(peer: Peer) -> AsyncIterator[Calls]:
    writers: list[asyncio.StreamWriter] = []

    async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(asyncio.IncompleteReadError):  # the client has gone
            await peer(reader, writer)

    server = await asyncio.start_server(kept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    watched = Watched("reservations")
    try:
        async with make_session() as session:
            yield Calls(Link(LINK, f"http://127.0.0.1:{port}", session, watched.telemetry), watched)
    finally:
        server.close()
        for writer in writers:
            writer.close()
        ended = (writer.wait_closed() for writer in writers)
        await asyncio.gather(*ended, return_exceptions=True)


def answer(body: bytes, status: str = "200 OK", headers: str = "") -> Peer:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)

    return peer


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    _reset(writer)


async def stopping_halfway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK[:-5])
    await writer.drain()
    writer.close()


async def resetting_halfway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK[:-5])
    await writer.drain()
    await asyncio.sleep(0.05)
    _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@pytest.mark.parametrize(
    ("peer", "mechanism"),
    [
        (closing, Mechanism.DISCONNECTED),
        (stopping_halfway, Mechanism.DISCONNECTED),
        (resetting, Mechanism.CONNECTION_RESET),
        (resetting_halfway, Mechanism.CONNECTION_RESET),
        (silent, Mechanism.TIMEOUT),
        (answer(b"not json"), Mechanism.BAD_ANSWER),
        (answer(b'{"charged": "perhaps"}'), Mechanism.BAD_ANSWER),
        (answer(b"{}"), Mechanism.BAD_ANSWER),
        (answer(b"\xff\xfe"), Mechanism.BAD_ANSWER),
        (answer(b'"' + b"x" * RESPONSE_BYTES_MAX + b'"'), Mechanism.BAD_ANSWER),
        (answer(b"", "999 Odd"), Mechanism.UPSTREAM_ERROR),
        (answer(b"", "302 Found", "Location: /elsewhere\r\n"), Mechanism.UPSTREAM_ERROR),
        (answer(b"oops", "502 Bad Gateway"), Mechanism.UPSTREAM_ERROR),
        (
            answer(b"oops", "500 Bad", "Content-Type: application/problem+json\r\n"),
            Mechanism.BAD_ANSWER,
        ),
    ],
)
async def test_each_failure_has_its_name_and_is_indefinite(
    peer: Peer, mechanism: Mechanism
) -> None:
    """Once the callee may have read the request, no failure is definite; the metric counts it by name."""
    async with calls(peer) as world:
        failure = await world.fails(timeout_s=0.3)
        assert (failure.mechanism, failure.definite, failure.link) == (mechanism, False, LINK)
        status = "" if failure.status is None else str(failure.status)
        counted = world.watched.count(
            "http_client_request_duration_seconds_count",
            link=LINK,
            http_request_method="GET",
            http_route="/charges/{id}",
            http_response_status_code=status,
            error_type=mechanism.value,
        )
        assert counted == 1


async def test_garbage_instead_of_http_is_a_bad_answer() -> None:
    """A callee that does not speak HTTP gave an answer that cannot be understood."""

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")

    async with calls(peer) as world:
        assert (await world.fails()).mechanism is Mechanism.BAD_ANSWER


async def test_a_refused_connection_is_definite() -> None:
    """Nobody listens, so nothing was done."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    watched = Watched("reservations")
    async with make_session() as session:
        link = Link(LINK, f"http://127.0.0.1:{port}", session, watched.telemetry)
        failure = await Calls(link, watched).fails()
    assert (failure.mechanism, failure.definite) == (Mechanism.CONNECT_REFUSED, True)
    assert failure.origin == "reservations"


async def test_a_timeout_cut_short_by_the_deadline_is_deadline() -> None:
    """When the deadline is nearer than the step's timeout, it is the deadline that ran out."""
    async with calls(silent) as world:
        deadline = Deadline.start(DeadlinePolicy(total_s=0.3, margin_s=0.1))
        failure = await world.fails(timeout_s=2, deadline=deadline)
        assert (failure.mechanism, failure.definite) == (Mechanism.DEADLINE, False)


async def test_an_attempt_without_time_is_not_sent() -> None:
    """With the deadline used up nothing goes out: definite, no CLIENT span, one rejection."""
    async with calls(silent) as world:
        deadline = Deadline.start(DeadlinePolicy(total_s=0.1, margin_s=0.1))
        failure = await world.fails(deadline=deadline)
        assert (failure.mechanism, failure.definite) == (Mechanism.DEADLINE, True)
        assert world.watched.spans() == []
        assert (
            world.watched.count("aguante_calls_rejected_total", link=LINK, error_type="deadline")
            == 1
        )


async def test_a_dead_pooled_connection_is_not_silently_tried_again() -> None:
    """aiohttp would send a GET a second time on a fresh connection: exactly one reaches the callee."""
    requests = 0

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        while await reader.readuntil(b"\r\n\r\n"):
            requests += 1
            if requests > 1:
                writer.close()  # the kept-alive connection dies before a byte of an answer
                return
            writer.write(OK)

    async with calls(peer) as world:
        await world.call()
        failure = await world.fails()
        assert failure.mechanism is Mechanism.DISCONNECTED
        assert requests == 2


async def test_a_connection_that_died_while_idle_is_not_used() -> None:
    """A pooled connection that the callee closed meanwhile is replaced by a new one, in one attempt."""
    accepted = 0

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()
        writer.close()

    async with calls(peer) as world:
        for _ in range(2):
            assert (await world.call()).charged
            await asyncio.sleep(0.05)
        assert accepted == 2


async def test_what_goes_out() -> None:
    """One request line, JSON, the trace of the CLIENT span, the remaining milliseconds, the given headers."""
    heads: list[bytes] = []

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)

    request = Request(
        "POST", "/pay", Paid, body=Paid(charged=False), headers={"Idempotency-Key": "k-1"}
    )
    async with calls(peer) as world:
        deadline = Deadline.start(DeadlinePolicy(total_s=5, margin_s=0.2))
        await world.call(2, deadline, request, first=2)
        (span,) = world.watched.spans()
    lines = heads[0].decode().split("\r\n")
    sent = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    assert lines[0] == "POST /pay HTTP/1.1"
    assert sent["idempotency-key"] == "k-1"
    assert sent["content-type"] == "application/json"
    assert 4900 <= int(sent["x-deadline-ms"]) <= 5000
    assert span.context is not None
    assert sent["traceparent"].split("-")[2] == f"{span.context.span_id:016x}"
    assert span.name == "POST /pay"
    assert span.attributes is not None
    assert (span.attributes["aguante.link"], span.attributes["aguante.attempt"]) == (LINK, 2)


async def test_a_callees_problem_comes_out_whole() -> None:
    """Mechanism, origin, link, definite and Retry-After are the callee's; the status is kept."""
    body = (
        b'{"mechanism":"pool_exhausted","origin":"payments","link":"payments-db",'
        b'"definite":true,"settled":true,"detail":"d"}'
    )
    headers = "Content-Type: application/problem+json\r\nRetry-After: 3\r\n"
    async with calls(answer(body, "503 Service Unavailable", headers)) as world:
        failure = await world.fails()
    assert (failure.mechanism, failure.definite, failure.status) == (
        Mechanism.POOL_EXHAUSTED,
        True,
        503,
    )
    assert (failure.origin, failure.link) == ("payments", "payments-db")
    assert failure.problem is not None
    assert failure.problem.retry_after_s == 3


async def test_two_hundred_calls_at_once_all_go_out() -> None:
    """The client has no limit of connections that would make a hundred-and-first call wait."""
    arrived = 0
    everybody = asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        await reader.readuntil(b"\r\n\r\n")
        arrived += 1
        if arrived == 200:
            everybody.set()
        await everybody.wait()
        writer.write(OK)

    async with calls(peer) as world:
        answers = await asyncio.gather(*(world.call(5) for _ in range(200)))
    assert len(answers) == 200
