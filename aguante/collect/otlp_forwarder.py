"""Forwards raw OTLP bodies without ever blocking the sender.

A ``BoundedQueue`` stands between a producer that must not wait and a consumer that may be slow. ``Forwarder``
sends its bodies to an OTLP/HTTP collector such as Jaeger. A collector that is dead, slow or unreachable costs a
full queue and a count of dropped bodies, nothing else.
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
DRAIN_LIMIT_S = 1.0
"""For the bodies that are still queued when a forwarder closes."""


class BoundedQueue:
    """A queue of bodies that drops and counts what does not fit.

    Args:
        max_bytes: total size of the bodies that it holds.
    """

    def __init__(self, max_bytes: int = QUEUE_MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bodies: deque[bytes] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()
        self._closed = False
        self.dropped = 0
        """Bodies that did not fit, since the beginning."""
        self._dropped_before = 0

    def offer(self, body: bytes) -> bool:
        """Queue a body; False if it was dropped because the queue is full or closed. Never blocks."""
        if self._closed or self._bytes + len(body) > self._max_bytes:
            self.dropped += 1
            return False
        self._bodies.append(body)
        self._bytes += len(body)
        self._changed.set()
        return True

    async def take(self) -> bytes | None:
        """Wait for the oldest body; None: the queue is closed and empty."""
        while not self._bodies:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        body = self._bodies.popleft()
        self._bytes -= len(body)
        return body

    def newly_dropped(self) -> int:
        """How many bodies were dropped since the last call."""
        new, self._dropped_before = self.dropped - self._dropped_before, self.dropped
        return new

    def __len__(self) -> int:
        """Number of bodies in the queue."""
        return len(self._bodies)

    def close(self) -> None:
        """Accept no more bodies; those in the queue can still be taken."""
        self._closed = True
        self._changed.set()


class Forwarder:
    """Sends bodies to an OTLP/HTTP collector while it is open, one after the other.

    A body that the collector refuses or does not answer within the limit is counted and not sent again.

    Args:
        endpoint: base address of the collector, as in ``OTEL_EXPORTER_OTLP_ENDPOINT``; ``/v1/traces`` is added.
        max_bytes: size of the queue.
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
        self._queue = BoundedQueue(max_bytes)
        self.sent = 0
        """Bodies that the collector accepted."""
        self.failed = 0
        """Bodies that it refused or did not answer."""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._limit, auto_decompress=False)
        self._worker = asyncio.create_task(self._work(), name="otlp-forwarder")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send the queued bodies, for at most DRAIN_LIMIT_S; the rest counts as dropped."""
        self._queue.close()
        await asyncio.wait({self._worker}, timeout=DRAIN_LIMIT_S)
        self._worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._worker
        self.failed += len(self._queue)
        await self._session.close()

    @property
    def dropped(self) -> int:
        """Bodies that were not delivered: the queue was full, or the collector refused or did not answer."""
        return self._queue.dropped + self.failed

    def offer(self, body: bytes) -> None:
        """Queue a body (an uncompressed ExportTraceServiceRequest). Never blocks, never raises."""
        self._queue.offer(body)

    async def _work(self) -> None:
        while (body := await self._queue.take()) is not None:
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
        ) as response:
            await response.read()
