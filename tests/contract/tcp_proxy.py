"""A proxy between client and database that a test can stall, cut at a word, or close."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TcpProxy:
    """Forwards bytes to ``port``. What the client sent is in ``sent``, one entry per flight."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self.sent: list[bytes] = []
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.cut_before: bytes | None = None
        self.cut_after: bytes | None = None
        self._upstream_port = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Refuse new connections and cut the live ones, as disabling a Toxiproxy proxy does."""
        if self._server is not None:
            self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Cut every live connection, both ways."""
        self.flowing.set()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        self._writers |= {writer, upstream}
        for pump in (self._to_server(reader, upstream), self._to_client(upstream_reader, writer)):
            task = asyncio.create_task(pump)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _to_server(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await self._read(reader):
            self.sent.append(data)
            if self.cut_before is not None and self.cut_before in data:
                self.cut()
                return
            if self.cut_after is not None and self.cut_after in data:
                await self._let_it_act(writer, data)
                return
            await self._write(writer, data)
        writer.close()

    async def _let_it_act(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """Pass the request on, hold the answer back until it was acted on, then cut."""
        self.flowing.clear()
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(0.1)
        self.cut()

    async def _to_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await self._read(reader):
            await self._write(writer, data)
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        with contextlib.suppress(ConnectionError):
            return await reader.read(65536)
        return b""

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        await self.flowing.wait()
        with contextlib.suppress(ConnectionError):
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def tcp_proxy(port: int) -> AsyncIterator[TcpProxy]:
    """Yield an open proxy to ``port``, and close it."""
    proxy = TcpProxy(port)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()
