"""Live progress in the terminal: phase, offered and achieved rate, codes so far.

On a terminal a small table is redrawn in place; elsewhere (CI, a file) one plain line is printed at
each step and every five seconds, so that a log stays readable.
"""

from dataclasses import dataclass, field
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

PLAIN_EVERY_S = 5.0


@dataclass(frozen=True)
class LiveStatus:
    """What is known at one moment of a run."""

    at_s: float
    end_s: float
    phase: str
    offered_rps: float
    achieved_rps: float
    codes: dict[str, int] = field(default_factory=dict)
    """Answers so far by status code (``0``: no answer), in order of code."""
    faults: tuple[str, ...] = ()
    """The faults that hold now."""


class Progress(Protocol):
    """Where a run says what it is doing."""

    def step(self, text: str) -> None:
        """A new step of the run has begun."""
        ...

    def tick(self, status: LiveStatus) -> None:
        """Called about twice a second while load is on."""
        ...


def _codes(codes: dict[str, int]) -> str:
    return "  ".join(f"{code}: {count}" for code, count in codes.items()) or "none yet"


class PlainProgress:
    """Lines for CI and files."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: tuple[str, float] = ("", -PLAIN_EVERY_S)

    def step(self, text: str) -> None:
        """Print the step."""
        self._console.print(text, highlight=False)

    def tick(self, status: LiveStatus) -> None:
        """Print when the phase changes, and every PLAIN_EVERY_S seconds."""
        phase, at_s = self._last
        if status.phase == phase and status.at_s - at_s < PLAIN_EVERY_S:
            return
        self._last = (status.phase, status.at_s)
        self._console.print(
            f"{status.at_s:5.1f} s  {status.phase:<9} offered {status.offered_rps:5.1f}/s "
            f"answered {status.achieved_rps:5.1f}/s  {_codes(status.codes)}",
            highlight=False,
            soft_wrap=True,
        )


class QuietProgress:
    """Says nothing."""

    def step(self, text: str) -> None:
        """Nothing."""

    def tick(self, status: LiveStatus) -> None:
        """Nothing."""


class LiveProgress:
    """A small table, redrawn in place. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def step(self, text: str) -> None:
        """Print the step; the table of the load, if any, is left as it was last drawn."""
        self._close()
        self._console.print(text, highlight=False)

    def tick(self, status: LiveStatus) -> None:
        """Redraw."""
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        self._live.update(render(status), refresh=True)


def render(status: LiveStatus) -> Group:
    """The table of one moment."""
    table = Table.grid(padding=(0, 2))
    table.add_row("phase", f"{status.phase} ({status.at_s:.0f} of {status.end_s:.0f} s)")
    table.add_row("fault", ", ".join(status.faults) or "none")
    table.add_row("offered", f"{status.offered_rps:.1f} /s")
    table.add_row("answered", f"{status.achieved_rps:.1f} /s")
    table.add_row("codes", _codes(status.codes))
    width = 50
    done = min(width, int(width * status.at_s / status.end_s)) if status.end_s > 0 else 0
    return Group(table, Text("#" * done + "." * (width - done)))
