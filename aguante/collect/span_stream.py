"""Reads spans from a relay's ``/stream``, whose format ``relay.py`` describes."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import aiohttp

from aguante.clients.otlp_frames import BODY_MAX_BYTES, FRAME_HEADER_BYTES
from aguante.testbed.runtime import TestbedError

OPEN_LIMIT_S = 5.0
QUIET_S = 1.5
"""The stream counts as finished after this long without data; services export every half second."""
FINISH_LIMIT_S = 6.0

Keep = Callable[[bytes], Awaitable[None]]


class SpanStream:
    """Passes every body of a relay's stream to ``keep`` while it is open.

    Args:
        relay: base URL; empty: there is no relay, and nothing is read.
        keep: stores one body.

    Raises:
        TestbedError: on entering, when the relay does not answer.
    """

    def __init__(self, relay: str, keep: Keep) -> None:
        self._relay = relay
        self._keep = keep
        self._received = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.missed = 0
        """Bodies that the relay dropped because this reader was too slow."""
        self.broken = ""
        """Why the stream broke off, so that it is unknown how many spans are missing; empty: it did not."""

    async def __aenter__(self) -> Self:
        if not self._relay:
            return self
        limit = aiohttp.ClientTimeout(total=None, sock_connect=OPEN_LIMIT_S)
        self._session = aiohttp.ClientSession(timeout=limit)
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                self._response = await self._session.get(
                    f"{self._relay}/stream", raise_for_status=True
                )
        except (aiohttp.ClientError, TimeoutError) as why:
            await self._session.close()
            message = (
                f"the telemetry relay at {self._relay} gives no stream ({type(why).__name__}: {why}), "
                "and without spans no failure can be attributed; see its log"
            )
            raise TestbedError(message) from why
        self._task = asyncio.create_task(self._read(), name="span-stream")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is None:
            return
        if kind is None:
            await self._finish(self._task)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._response.close()
        await self._session.close()

    def lost(self, dropped: int | None) -> int | None:
        """At least how many spans are missing, given how many the services dropped; None: not known.

        A missed body counts as one span, since it had at least one.
        """
        return None if dropped is None or self.broken else dropped + self.missed

    async def _finish(self, task: "asyncio.Task[None]") -> None:
        """Wait until the stream ends or has been quiet: services may still be sending their last spans."""
        deadline = asyncio.get_running_loop().time() + FINISH_LIMIT_S
        while not task.done() and asyncio.get_running_loop().time() < deadline:
            self._received.clear()
            received = asyncio.create_task(self._received.wait())
            done, _ = await asyncio.wait(
                {task, received}, timeout=QUIET_S, return_when=asyncio.FIRST_COMPLETED
            )
            received.cancel()
            if not done:
                return

    async def _read(self) -> None:
        content = self._response.content
        try:
            while header := await content.read(FRAME_HEADER_BYTES):
                if len(header) < FRAME_HEADER_BYTES:
                    header += await content.readexactly(FRAME_HEADER_BYTES - len(header))
                await self._take(int.from_bytes(header, "big"))
        except (aiohttp.ClientError, asyncio.IncompleteReadError, ConnectionError) as why:
            self.broken = f"{type(why).__name__}: {why}"
        except OSError as refused:  # a disk error from ``keep``, which the collector has counted
            self.broken = str(refused)

    async def _take(self, length: int) -> None:
        content = self._response.content
        self._received.set()
        if length == 0:
            self.missed += int.from_bytes(await content.readexactly(FRAME_HEADER_BYTES), "big")
            return
        if length > BODY_MAX_BYTES:
            message = f"received a frame of {length} bytes; this is not a relay of the same version"
            raise ConnectionError(message)
        await self._keep(await content.readexactly(length))
