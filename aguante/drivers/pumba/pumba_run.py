"""A running Pumba, followed through its log, which alone shows when a fault has begun.

Pumba exits with 0 even when nothing matched; only its log says so.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aguante.drivers.driver import FaultError

LINES_KEPT = 400
LINE_BYTES_MAX = 1 << 20
"""A debug line of Pumba repeats every label of a container."""
LAST_LINES_S = 2.0
GRAVE = ("warning", "error", "fatal", "panic")


@dataclass(frozen=True)
class Line:
    """One line of Pumba's log."""

    level: str
    message: str
    name: str
    """Of the container that it is about, without a slash; or empty."""
    id: str
    """Of a container; or empty."""


def parsed(raw: bytes) -> Line:
    """One line; a line that is no JSON (its logging library writes some) is kept as an error."""
    try:
        entry = json.loads(raw)
    except ValueError:
        entry = None
    if not isinstance(entry, dict):
        return Line("error", raw.decode("utf-8", "replace").strip(), "", "")
    return Line(*(str(entry.get(key, "")).lstrip("/") for key in ("level", "msg", "name", "id")))


class PumbaRun:
    """A running Pumba.

    Args:
        process: started with its standard error piped, in a process session of its own.
        remove: ends the container that it runs in, where it does.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        remove: "Callable[[], Awaitable[None]] | None" = None,
    ) -> None:
        self.process = process
        self.lines: deque[Line] = deque(maxlen=LINES_KEPT)
        self._remove = remove
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None  # noqa: S101 - see the class
        with contextlib.suppress(ValueError):  # a line longer than any that Pumba writes
            async for raw in self.process.stderr:
                self.lines.append(parsed(raw))
                async with self._news:
                    self._news.notify_all()
        await self.process.wait()

    @property
    def ended(self) -> bool:
        """Whether it has ended and its whole log was read."""
        return self._reading.done()

    async def logs(self, message: str, limit_s: float) -> Line:
        """Wait until it has logged this message.

        Raises:
            FaultError: it ended without doing so, or did not do so in time.
        """
        waiting = asyncio.create_task(self._logged(message))
        await asyncio.wait(
            {waiting, self._reading}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
        )
        waiting.cancel()
        line = self._line(message)
        if line is not None:
            return line
        if self.ended:
            why = f"Pumba ended with code {self.process.returncode}: {self.words()}"
        else:
            why = f"Pumba did not log {message!r} within {limit_s:g} s: {self.words()}"
        raise FaultError(why)

    async def _logged(self, message: str) -> None:
        async with self._news:
            await self._news.wait_for(lambda: self._line(message) is not None)

    def _line(self, message: str) -> Line | None:
        return next((each for each in self.lines if each.message == message), None)

    async def end(self, limit_s: float) -> bool:
        """Wait until it has ended by itself; returns whether it has."""
        await asyncio.wait({self._reading}, timeout=limit_s)
        return self.ended

    async def stop(self, limit_s: float) -> None:
        """Stop it, which makes it clean up; kill it if it has not ended in time."""
        if not self.ended:
            self._signal(signal.SIGTERM)
            if not await self.end(limit_s):
                await self.kill()

    async def kill(self) -> None:
        """Kill it at once, without any clean-up."""
        if self._remove is not None:
            await self._remove()
        self._signal(signal.SIGKILL)
        await self.end(LAST_LINES_S)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def words(self) -> str:
        """Its last warning or error, else its last line, for a message."""
        grave = [each for each in self.lines if each.level in GRAVE]
        last = grave[-1:] or list(self.lines)[-1:]
        return last[0].message[:400] if last else "it logged nothing"
