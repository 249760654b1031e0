"""A line on standard error for work that takes longer than two seconds: what it is, and for how long it has run."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from aguante.cli.consoles import ProgressConsole

SHOWN_AFTER_S = 2.0
REDRAWN_EVERY_S = 0.5


class ElapsedLine:
    """Shows ``<text> ... 12 s`` in place on a terminal. Elsewhere it is printed once, if ``announce`` is set."""

    def __init__(
        self, console: Console, text: str, *, limit_s: float | None = None, announce: bool = True
    ) -> None:
        """``limit_s``: the longest time that the work can take, to show the time left."""
        self._console, self._text, self._limit_s, self._announce = console, text, limit_s, announce
        self._done = threading.Event()
        self._began_s = time.monotonic()
        self._thread = threading.Thread(target=self._show, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Remove the line."""
        self._done.set()
        self._thread.join()

    def line(self, elapsed_s: float) -> str:
        """The line after so many seconds."""
        left = (
            ""
            if self._limit_s is None
            else f", at most {max(0, self._limit_s - elapsed_s):.0f} s left"
        )
        return f"{self._text} {elapsed_s:.0f} s{left}".strip()

    def _show(self) -> None:
        if self._done.wait(SHOWN_AFTER_S):
            return
        if not self._console.is_terminal:
            if self._announce:
                self._console.print(self._text, highlight=False, markup=False)
            return
        with self._console.status(self._now()) as status:
            while not self._done.wait(REDRAWN_EVERY_S):
                status.update(self._now())

    def _now(self) -> str:
        return escape(self.line(time.monotonic() - self._began_s))


@contextmanager
def elapsed_line(text: str, limit_s: float | None = None) -> Iterator[None]:
    """Show the line on standard error as long as the body runs, if that is longer than two seconds."""
    line = ElapsedLine(ProgressConsole(), text, limit_s=limit_s)
    try:
        yield
    finally:
        line.end()
