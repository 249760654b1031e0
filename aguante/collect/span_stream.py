"""Reads a relay's ``/stream``: the spans of services that cannot reach the runner (``relay.py`` says the format)."""

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
"""Services export twice a second: after three times that, whatever was to come has come."""
FINISH_LIMIT_S = 6.0

Keep = Callable[[bytes], Awaitable[None]]


class SpanStream:
    """Gives every body that comes from a relay to ``keep``, from entering until ``finish``.

    Args:
        relay: base URL; empty: there is none, and nothing to read.
        keep: takes one body.

    Raises:
        TestbedError: on entering, when the relay does not answer.
    """

    def __init__(self, relay: str, keep: Keep) -> None:
        self._relay = relay
        self._keep = keep
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.missed = 0
        """Bodies that found no room in the relay, since we were too slow."""
        self.broken = ""
        """Why the stream ended before its time: then nobody knows what is missing. Empty: it did not."""

    async def __aenter__(self) -> Self:
        if not self._relay:
            return self
        limit = aiohttp.ClientTimeout(total=None, sock_connect=OPEN_LIMIT_S)
        self._session = aiohttp.ClientSession(timeout=limit)
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                self._answer = await self._session.get(
                    f"{self._relay}/stream", raise_for_status=True
                )
        except (aiohttp.ClientError, TimeoutError) as why:
            await self._session.close()
            message = (
                f"the telemetry relay at {self._relay} gives no stream ({type(why).__name__}: {why}): "
                "without spans nothing can be attributed; see its log"
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
        self._answer.close()
        await self._session.close()

    def lost(self, dropped: int) -> int:
        """What is missing in all: spans that services dropped, and bodies that we missed; -1: not known.

        A body that was missed held one span at least: above 0 the sum says that, not how many.
        """
        return -1 if dropped < 0 or self.broken else dropped + self.missed

    async def _finish(self, task: "asyncio.Task[None]") -> None:
        """Wait for the end of the stream, or until it has been quiet: services may still send their last."""
        deadline = asyncio.get_running_loop().time() + FINISH_LIMIT_S
        while not task.done() and asyncio.get_running_loop().time() < deadline:
            self._news.clear()
            heard = asyncio.create_task(self._news.wait())
            done, _ = await asyncio.wait(
                {task, heard}, timeout=QUIET_S, return_when=asyncio.FIRST_COMPLETED
            )
            heard.cancel()
            if not done:
                return

    async def _read(self) -> None:
        content = self._answer.content
        try:
            while header := await content.read(FRAME_HEADER_BYTES):
                if len(header) < FRAME_HEADER_BYTES:
                    header += await content.readexactly(FRAME_HEADER_BYTES - len(header))
                await self._take(int.from_bytes(header, "big"))
        except (aiohttp.ClientError, asyncio.IncompleteReadError, ConnectionError) as why:
            self.broken = f"{type(why).__name__}: {why}"
        except OSError as refused:  # the disk's, from ``keep``: the collector has counted it
            self.broken = str(refused)

    async def _take(self, length: int) -> None:
        content = self._answer.content
        self._news.set()
        if length == 0:
            self.missed += int.from_bytes(await content.readexactly(FRAME_HEADER_BYTES), "big")
            return
        if length > BODY_MAX_BYTES:
            message = f"a frame of {length} bytes: what answers is no relay of this version"
            raise ConnectionError(message)
        await self._keep(await content.readexactly(length))
