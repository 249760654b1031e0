"""Shows a run on the terminal: its progress on standard error, its verdict on standard output.

On a terminal a small table is redrawn in place. Elsewhere (CI, a file) a plain line is printed at each step and every
five seconds, so that a log stays readable.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from aguante.cli.render.elapsed import ElapsedLine
from aguante.cli.render.verdict_text import print_verdict
from aguante.run.progress import LiveStatus, Progress, QuietProgress
from aguante.run.single import RunEnd

PLAIN_EVERY_S = 5.0


@dataclass(frozen=True)
class Terminal:
    """Where a command shows its runs."""

    progress: Console
    """Standard error."""
    verdicts: Console
    quiet: bool = False
    """Show no progress."""
    live: bool = False
    """Redraw a table in place; else print plain lines."""

    @contextmanager
    def show_progress(self) -> Iterator[Progress]:
        """Show the progress of a run for the time of the body."""
        if self.quiet:
            yield QuietProgress()
        elif self.live:
            progress = LiveProgress(self.progress)
            try:
                yield progress
            finally:
                progress.close()
        else:
            yield PlainProgress(self.progress)

    def show_end(self, end: RunEnd) -> None:
        """Print the verdict, or on standard error why there is none."""
        if end.judged:
            print_verdict(self.verdicts, end.judged.verdict, end.judged.folder)
            return
        prefix = "error: " if end.result.verdict == "error" else ""
        click.echo(f"{prefix}{end.result.headline}", err=True)


def _codes(codes: dict[str, int]) -> str:
    return "  ".join(f"{code}: {count}" for code, count in codes.items()) or "none yet"


def _left(status: LiveStatus) -> str:
    return f"{max(0.0, status.end_s - status.at_s):.0f} s of load left"


class PlainProgress:
    """Plain lines for CI and files."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: tuple[str, float] = ("", -PLAIN_EVERY_S)

    def step(self, text: str) -> None:
        """Print the step."""
        self._console.print(text, highlight=False, markup=False)

    def tick(self, status: LiveStatus) -> None:
        """Print if the phase has changed, and every PLAIN_EVERY_S seconds."""
        phase, at_s = self._last
        if status.phase == phase and status.at_s - at_s < PLAIN_EVERY_S:
            return
        self._last = (status.phase, status.at_s)
        self._console.print(
            f"{status.at_s:5.1f} s  {status.phase:<9} offered {status.offered_rps:5.1f}/s "
            f"answered {status.achieved_rps:5.1f}/s  {_codes(status.codes)}  {_left(status)}",
            highlight=False,
            soft_wrap=True,
        )


class LiveProgress:
    """A small table, redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._step: ElapsedLine | None = None

    def close(self) -> None:
        """Leave the table as it was last drawn."""
        if self._step is not None:
            self._step.end()
            self._step = None
        if self._live is not None:
            self._live.stop()
            self._live = None

    def step(self, text: str) -> None:
        """Print the step, and show how long it takes."""
        self.close()
        self._console.print(text, highlight=False, markup=False)
        self._step = ElapsedLine(self._console, "", announce=False)

    def tick(self, status: LiveStatus) -> None:
        """Redraw the table."""
        if self._live is None:
            self.close()
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        self._live.update(render(status), refresh=True)


def render(status: LiveStatus) -> Group:
    """The table of one moment."""
    table = Table.grid(padding=(0, 2))
    table.add_row(
        "phase", f"{status.phase} ({status.at_s:.0f} of {status.end_s:.0f} s, {_left(status)})"
    )
    table.add_row("fault", escape(", ".join(status.faults)) or "none")
    table.add_row("offered", f"{status.offered_rps:.1f} /s")
    table.add_row("answered", f"{status.achieved_rps:.1f} /s")
    table.add_row("codes", _codes(status.codes))
    width = 50
    done = min(width, int(width * status.at_s / status.end_s)) if status.end_s > 0 else 0
    return Group(table, Text("#" * done + "." * (width - done)))
