"""The runner's trace collector: OTLP over HTTP, appended to a file as received and decoded after the run."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Self

from aiohttp import web

from aguante.clients.otlp_frames import BODY_MAX_BYTES, PROTOBUF, frame

SHUTDOWN_S = 2.0


async def read_export(request: web.Request) -> bytes:
    """The body of an export; HTTP 415 unless it is OTLP's protobuf."""
    if request.content_type != PROTOBUF:
        raise web.HTTPUnsupportedMediaType(text=f"send {PROTOBUF}, not {request.content_type}")
    return await request.read()


def accepted() -> web.Response:
    """An ExportTraceServiceResponse that accepts everything: zero bytes of protobuf."""
    return web.Response(body=b"", content_type=PROTOBUF)


class Collector:
    """Receives ``POST /v1/traces`` on a free loopback port while it is open.

    Each body is appended to ``path`` without its gzip encoding: 4 bytes big-endian length, then the protobuf.
    One thread writes to the disk, so that the event loop never waits for it.

    Raises:
        OSError: on entering, if the file cannot be opened or no port is free.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.endpoint = ""
        """Base address, for ``OTEL_EXPORTER_OTLP_ENDPOINT``; set on entering."""
        self.requests = 0
        """Bodies written."""
        self.bytes = 0
        """Size of the bodies written, without gzip."""
        self.refused = 0
        """Bodies that could not be written to disk. Their sender may send them again, or count them as lost."""
        self.refused_because = ""
        """The last disk error, or empty."""
        self.forward: Callable[[bytes], None] | None = None
        """Called with every body that was written; must not block."""

    async def __aenter__(self) -> Self:
        self._file: BinaryIO = self._path.open("ab", buffering=0)
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="otlp-disk")
        app = web.Application(client_max_size=BODY_MAX_BYTES)
        app.router.add_post("/v1/traces", self._receive)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        try:
            await self._runner.setup()
            await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        except BaseException:
            await self._close()
            raise
        host, port = self._runner.addresses[0][:2]
        self.endpoint = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def _close(self) -> None:
        await self._runner.cleanup()
        await asyncio.to_thread(self._disk.shutdown)
        self._file.close()

    async def _receive(self, request: web.Request) -> web.Response:
        body = await read_export(request)
        try:
            await self.keep(body)
        except OSError as failure:
            raise web.HTTPServiceUnavailable(text=f"cannot be written: {failure}") from failure
        return accepted()

    async def keep(self, body: bytes) -> None:
        """Append one body, as if it had been posted.

        Raises:
            OSError: it could not be written; counted in ``refused``.
        """
        try:
            await asyncio.get_running_loop().run_in_executor(self._disk, self._append, body)
        except OSError as failure:
            self.refused += 1
            self.refused_because = str(failure)
            raise
        if self.forward:
            self.forward(body)
        self.requests += 1
        self.bytes += len(body)

    def _append(self, body: bytes) -> None:
        self._file.write(frame(body))
