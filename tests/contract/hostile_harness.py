"""What tests of hostile clients share: a small service with limits of its own, and connections byte by byte."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import msgspec
from aiohttp import web
from kit_harness import Watched, default_policy

from services.kit.http.connection import Runner
from services.kit.http.limits import ConnectionLimits
from services.kit.http.server import make_app, read_json, received_deadline, respond_json
from services.kit.policy.findings import Strict

LONG = "x" * 60_000


class Thing(Strict, frozen=True):
    """What the test service expects."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=8)]
    count: Annotated[int, msgspec.Meta(ge=1, le=9)]


class Long(msgspec.Struct):
    """What the test service answers."""

    text: str


async def take(request: web.Request) -> web.StreamResponse:
    """``POST /things``."""
    thing = await read_json(request, Thing)
    return respond_json(Long(thing.name))


async def wait(request: web.Request) -> web.StreamResponse:
    """``GET /wait``: what a service that is called with a deadline does first."""
    return respond_json(Long(str(received_deadline(request).remaining_s())))


async def tell(request: web.Request) -> web.StreamResponse:
    """``GET /long``: an answer as long as an answer of ours can be."""
    return respond_json(Long(LONG))


@dataclass(frozen=True)
class Service:
    """A service that listens, and its telemetry."""

    port: int
    server: web.Server
    watched: Watched

    def open_connections(self) -> int:
        return len(self.server.connections)

    async def until_connections(self, count: int, limit_s: float = 15.0) -> None:
        """Wait until so many connections are open."""
        async with asyncio.timeout(limit_s):
            while self.open_connections() != count:  # noqa: ASYNC110 - nobody could set an event
                await asyncio.sleep(0.01)


def listening_socket() -> socket.socket:
    """Return a socket whose connections buffer little, so that a client that does not read is noticed at once."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    listener.setblocking(False)
    return listener


@asynccontextmanager
async def service(limits: ConnectionLimits | None = None) -> AsyncIterator[Service]:
    """Serve three routes within ``limits``."""
    watched = Watched("payments")
    routes = [
        web.post("/things", take),
        web.get("/long", tell, allow_head=False),
        web.get("/wait", wait, allow_head=False),
    ]
    app = make_app(default_policy(), watched.telemetry, routes)
    runner = Runner(app, watched.telemetry, shutdown_s=0.2, limits=limits)
    await runner.setup()
    try:
        await web.SockSite(runner, listening_socket()).start()
        assert runner.server is not None
        yield Service(runner.addresses[0][1], runner.server, watched)
    finally:
        await runner.cleanup()


@dataclass(frozen=True)
class Answer:
    """One answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def mechanism(self) -> str:
        """Of a problem; raises when it is none."""
        assert self.headers["content-type"] == "application/problem+json"
        return str(msgspec.json.decode(self.body)["mechanism"])


@dataclass(frozen=True)
class Wire:
    """One connection, byte by byte."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self, limit_s: float = 15.0) -> Answer:
        """Read one complete answer."""
        async with asyncio.timeout(limit_s):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
            body = await self.reader.readexactly(int(headers["content-length"]))
            return Answer(int(first.split(" ")[1]), headers, body)

    async def closed(self, limit_s: float = 15.0) -> bool:
        """Whether the other side closes, sending nothing more."""
        try:
            async with asyncio.timeout(limit_s):
                return await self.reader.read() == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False


@asynccontextmanager
async def wire(port: int) -> AsyncIterator[Wire]:
    """Open a connection that buffers little; it is cut at the end."""
    end = socket.socket()
    end.setblocking(False)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await asyncio.get_running_loop().sock_connect(end, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=end, limit=2**20)
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()
