"""Hands raw OTLP bodies on without ever waiting for whoever takes them: bounded, and what finds no room is counted.

``Outlet`` is the bounded queue; ``Forwarder`` empties one into an OTLP/HTTP collector such as Jaeger. A
collector that is dead, slow or black-holed costs a full queue and a number, nothing else.
"""

import asyncio
import contextlib
from collections import deque
from typing import Self

import aiohttp

from aguante.clients.otlp_frames import PROTOBUF

QUEUE_MAX_BYTES = 4 * 2**20
"""About 7,000 spans: some seconds of a busy testbed."""
SEND_LIMIT_S = 2.0
LAST_WORDS_S = 1.0
"""For what is still queued when a forwarder closes."""


class Outlet:
    """A queue of bodies between one that never waits and one that may be slow.

    Args:
        max_bytes: how much it holds; a body that finds no room is dropped and counted.
    """

    def __init__(self, max_bytes: int = QUEUE_MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bodies: deque[bytes] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._closed = False
        self.dropped = 0
        """Bodies that found no room, ever."""
        self._told = 0

    def offer(self, body: bytes) -> bool:
        """Queue a body; False, and counted, when there is no room or the outlet is closed. Never waits."""
        if self._closed or self._bytes + len(body) > self._max_bytes:
            self.dropped += 1
            return False
        self._bodies.append(body)
        self._bytes += len(body)
        self._news.set()
        return True

    async def take(self) -> bytes | None:
        """The oldest body, once there is one; None: closed, and everything was taken."""
        while not self._bodies:
            if self._closed:
                return None
            self._news.clear()
            await self._news.wait()
        body = self._bodies.popleft()
        self._bytes -= len(body)
        return body

    def newly_dropped(self) -> int:
        """How many bodies were dropped since this was asked last."""
        new, self._told = self.dropped - self._told, self.dropped
        return new

    def __len__(self) -> int:
        """Bodies that wait."""
        return len(self._bodies)

    def close(self) -> None:
        """Take nothing more; what waits can still be taken."""
        self._closed = True
        self._news.set()


class Forwarder:
    """Sends bodies to an OTLP/HTTP collector while it is open, one after the other.

    A body that is refused, or not answered in SEND_LIMIT_S, is not sent again: it is counted. Telemetry is
    worth less than the system that it tells of.

    Args:
        endpoint: base address of the collector, as ``OTEL_EXPORTER_OTLP_ENDPOINT``; ``/v1/traces`` is added.
        max_bytes: how much may wait.
        send_limit_s: for one body.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        max_bytes: int = QUEUE_MAX_BYTES,
        send_limit_s: float = SEND_LIMIT_S,
    ) -> None:
        self._url = f"{endpoint.rstrip('/')}/v1/traces"
        self._limit = aiohttp.ClientTimeout(total=send_limit_s)
        self._outlet = Outlet(max_bytes)
        self.sent = 0
        """Bodies that the collector took."""
        self.failed = 0
        """Bodies that it refused or did not answer."""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._limit, auto_decompress=False)
        self._worker = asyncio.create_task(self._work(), name="otlp-forwarder")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send what waits, for LAST_WORDS_S at most; the rest is counted as dropped."""
        self._outlet.close()
        await asyncio.wait({self._worker}, timeout=LAST_WORDS_S)
        self._worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._worker
        self.failed += len(self._outlet)
        await self._session.close()

    @property
    def dropped(self) -> int:
        """Bodies that never arrived: no room, refused, or not answered."""
        return self._outlet.dropped + self.failed

    def offer(self, body: bytes) -> None:
        """Queue a body (an ExportTraceServiceRequest, uncompressed). Never waits, never raises."""
        self._outlet.offer(body)

    async def _work(self) -> None:
        while (body := await self._outlet.take()) is not None:
            try:
                await self._send(body)
            except (aiohttp.ClientError, TimeoutError, OSError):
                self.failed += 1
            except asyncio.CancelledError:
                self.failed += 1
                raise
            else:
                self.sent += 1

    async def _send(self, body: bytes) -> None:
        headers = {"Content-Type": PROTOBUF}
        async with self._session.post(
            self._url, data=body, headers=headers, raise_for_status=True
        ) as answer:
            await answer.read()
