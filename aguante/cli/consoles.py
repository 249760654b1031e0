"""Rich's consoles, without its way to end: on a broken pipe it exits the program with 1, which says ``deviated``."""

from rich.console import Console


class OutputConsole(Console):
    """What a command prints; raises BrokenPipeError when nobody reads it any more."""

    def on_broken_pipe(self) -> None:
        """Pass on what rich has caught."""
        self.quiet = True
        raise BrokenPipeError


class ProgressConsole(Console):
    """How far a command is, on standard error; goes quiet when nobody reads it: a run is played to its end."""

    def __init__(self, *, plain: bool = False) -> None:
        """``plain``: no colours and nothing redrawn, whatever the terminal can."""
        super().__init__(
            stderr=True, no_color=plain or None, force_terminal=False if plain else None
        )

    def on_broken_pipe(self) -> None:
        """Say no more."""
        self.quiet = True
