"""Rich consoles that do not exit on a broken pipe: rich exits with 1, which would read as ``deviated``."""

from rich.console import Console

PLAIN_WIDTH = 130
STYLE = {
    "held": "bold green",
    "deviated": "bold red",
    "inconclusive": "bold yellow",
    "met": "green",
    "unmet": "red",
    "unknown": "yellow",
    "violated": "red",
    "error": "bold red",
}
"""The style of each outcome."""


class OutputConsole(Console):
    """Standard output; raises BrokenPipeError when its reader is gone."""

    def on_broken_pipe(self) -> None:
        """Let the caller see the error."""
        self.quiet = True
        raise BrokenPipeError


class ProgressConsole(Console):
    """Progress on standard error; falls silent when its reader is gone, so that a run still finishes."""

    def __init__(self, *, plain: bool = False) -> None:
        """``plain``: no colours and nothing redrawn, even on a terminal or with FORCE_COLOR."""
        super().__init__(
            stderr=True, no_color=plain or None, force_terminal=False if plain else None
        )

    def on_broken_pipe(self) -> None:
        """Print nothing more."""
        self.quiet = True


def output_console(*, plain: bool = False) -> Console:
    """Standard output, wide enough for a table where it is a file or a CI log, which have no width.

    ``plain``: no colours, even on a terminal or with FORCE_COLOR.
    """
    no_color, force_terminal = plain or None, False if plain else None
    console = OutputConsole(no_color=no_color, force_terminal=force_terminal)
    if console.is_terminal:
        return console
    return OutputConsole(width=PLAIN_WIDTH, no_color=no_color, force_terminal=force_terminal)
