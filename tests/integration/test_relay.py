"""The relay as it really runs: a process that services post to, with a collector and readers of every temper."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from waiting import until

from aguante.collect.relay import READERS_MAX
from aguante.runtimes.native.service_processes import wait_ready_at
from aguante.runtimes.ports import HOST
from aguante.runtimes.processes import Child, Command, run_to_end, spawn

PROTOBUF = {"Content-Type": "application/x-protobuf"}
LIMIT_S = 30.0


class Collector:
    """Stands for Jaeger: keeps what it is sent, as slowly as it is told to."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        await self.go_on.wait()
        self.bodies.append(await request.read())
        return web.Response(body=b"", content_type="application/x-protobuf")


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    found = Collector()
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/v1/traces", found.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    found.url = f"http://{HOST}:{runner.addresses[0][1]}"
    yield found
    found.go_on.set()
    await runner.cleanup()


@contextlib.contextmanager
def relay_process(port: int, log: Path, collector: str = "") -> Iterator[Child]:
    env = {**os.environ, "HOST": HOST, "PORT": str(port), "JAEGER_OTLP": collector}
    argv = (sys.executable, "-m", "aguante.collect.relay")
    child = spawn(Command("relay", argv, Path.cwd(), log, env), die_with_parent=True)
    try:
        yield child
    finally:
        if child.exit_code() is None:
            os.kill(child.ref.pid, signal.SIGKILL)
        child._popen.wait(LIMIT_S)


@contextlib.asynccontextmanager
async def running_relay(
    port: int, log: Path, collector: str = ""
) -> AsyncIterator[tuple[Child, aiohttp.ClientSession]]:
    with relay_process(port, log, collector) as child:
        url = f"http://{HOST}:{port}"
        await wait_ready_at(child, f"{url}/healthz")
        limit = aiohttp.ClientTimeout(total=LIMIT_S)
        async with aiohttp.ClientSession(url, timeout=limit) as session:
            yield child, session


async def post(session: aiohttp.ClientSession, body: bytes) -> int:
    async with session.post("/v1/traces", data=body, headers=PROTOBUF) as answer:
        return answer.status


async def read_frames(stream: aiohttp.ClientResponse, number: int) -> list[bytes]:
    found = []
    for _ in range(number):
        length = int.from_bytes(await stream.content.readexactly(4), "big")
        found.append(await stream.content.readexactly(length or 4))
    return found


async def metric(session: aiohttp.ClientSession, series: str) -> float:
    async with session.get("/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return float(next(line for line in lines if line.startswith(series + " ")).split()[-1])


DROPPED_BY_COLLECTOR = 'aguante_relay_bodies_dropped{to="collector"}'
DROPPED_BY_STREAM = 'aguante_relay_bodies_dropped{to="stream"}'


async def test_a_body_reaches_the_collector_and_every_reader(
    unused_tcp_port: int, tmp_path: Path, collector: Collector
) -> None:
    """What a service posts arrives byte for byte, gzip undone, at Jaeger and at each open stream."""
    async with (
        running_relay(unused_tcp_port, tmp_path / "log", collector.url) as (_, session),
        session.get("/stream") as one,
        session.get("/stream") as two,
    ):
        assert await post(session, b"first") == 200
        assert await post(session, b"second") == 200
        assert await read_frames(one, 2) == await read_frames(two, 2) == [b"first", b"second"]

        async def arrived() -> bool:
            return len(collector.bodies) == 2

        await until(arrived)
    assert collector.bodies == [b"first", b"second"]


async def test_a_dead_collector_costs_a_number_and_nothing_else(
    unused_tcp_port_factory: Callable[[], int], tmp_path: Path
) -> None:
    """Jaeger refused: every post is answered at once, readers get everything, the loss is counted."""
    port, nobody = unused_tcp_port_factory(), unused_tcp_port_factory()
    async with (
        running_relay(port, tmp_path / "log", f"http://{HOST}:{nobody}") as (_, session),
        session.get("/stream") as stream,
    ):
        assert [await post(session, b"span") for _ in range(20)] == [200] * 20
        assert await read_frames(stream, 20) == [b"span"] * 20

        async def counted() -> bool:
            return await metric(session, DROPPED_BY_COLLECTOR) == 20

        await until(counted)


async def test_a_slow_collector_fills_its_queue_and_keeps_nobody_waiting(
    unused_tcp_port: int, tmp_path: Path, collector: Collector
) -> None:
    """Jaeger that does not answer: posts are answered within a blink, the queue is bounded, the rest is counted."""
    collector.go_on.clear()
    body = b"x" * 2**20
    async with running_relay(unused_tcp_port, tmp_path / "log", collector.url) as (_, session):
        began = asyncio.get_running_loop().time()
        assert [await post(session, body) for _ in range(30)] == [200] * 30
        assert (
            asyncio.get_running_loop().time() - began < 3.0
        )  # two for one body alone, if it waited
        assert await metric(session, DROPPED_BY_COLLECTOR) >= 20
        collector.go_on.set()


async def test_a_slow_reader_gets_the_number_of_bodies_that_it_missed(
    unused_tcp_port: int, tmp_path: Path
) -> None:
    """A reader that does not read delays no other reader, and later gets every body or a notice of its loss."""
    body, last = b"y" * 2**20, b"last"
    sent = 48
    async with (
        running_relay(unused_tcp_port, tmp_path / "log") as (_, session),
        session.get("/stream") as slow,
        session.get("/stream") as quick,
    ):
        for _ in range(sent):
            assert await post(session, body) == 200
            assert await read_frames(quick, 1) == [body]
        missed = int(await metric(session, DROPPED_BY_STREAM))
        assert missed > 0
        got, noticed = [], 0
        while last not in got:
            if len(got) == sent - missed:  # there is room again: this body carries the last notice
                assert await post(session, last) == 200
            data, lost = await read_frame(slow)
            got, noticed = got + data, noticed + lost
        assert (len(got) - 1, noticed) == (sent - missed, missed)


async def read_frame(stream: aiohttp.ClientResponse) -> tuple[list[bytes], int]:
    """The next body, or none and the number of bodies of a notice."""
    length = int.from_bytes(await stream.content.readexactly(4), "big")
    data = await stream.content.readexactly(length or 4)
    return ([data], 0) if length else ([], int.from_bytes(data, "big"))


async def test_sigterm_gives_readers_the_rest_and_then_the_end(
    unused_tcp_port: int, tmp_path: Path
) -> None:
    """The last spans of a testbed that goes down arrive, then the stream ends cleanly, exit code 0."""
    async with (
        running_relay(unused_tcp_port, tmp_path / "log") as (child, session),
        session.get("/stream") as stream,
    ):
        assert await post(session, b"last") == 200
        os.kill(child.ref.pid, signal.SIGTERM)
        assert await stream.content.read() == b"\x00\x00\x00\x04last"
        await run_to_end(child, LIMIT_S)  # raises for an exit code other than 0


async def test_what_is_no_protobuf_is_refused(unused_tcp_port: int, tmp_path: Path) -> None:
    """JSON gets 415, and reaches nobody."""
    async with running_relay(unused_tcp_port, tmp_path / "log") as (_, session):
        async with session.post("/v1/traces", json={}) as answer:
            assert answer.status == 415
        assert await metric(session, "aguante_relay_bodies_total") == 0


async def test_a_reader_too_many_is_refused(unused_tcp_port: int, tmp_path: Path) -> None:
    """Readers are bounded: one too many gets 503, and the sentence says why."""
    async with contextlib.AsyncExitStack() as stack:
        _, session = await stack.enter_async_context(
            running_relay(unused_tcp_port, tmp_path / "log")
        )
        for _ in range(READERS_MAX):
            answer = await stack.enter_async_context(session.get("/stream"))
            assert answer.status == 200
        async with session.get("/stream") as another:
            assert another.status == 503
            assert f"{READERS_MAX} readers are connected already" in await another.text()
