"""Runs one experiment in this process and shows it on the terminal."""

from aguante.cli.options.stop_signals import run_with_stop
from aguante.cli.render.run_text import Terminal
from aguante.run.single import SingleRun, run_single
from aguante.verdict.suite_result import SuiteRun


def play_single(wanted: SingleRun, terminal: Terminal, retry_inconclusive: int = 0) -> SuiteRun:
    """Run it, until Ctrl-C at most; an inconclusive run is repeated up to ``retry_inconclusive`` times."""
    with terminal.show_progress() as progress:
        return run_with_stop(
            lambda stop: run_single(
                wanted,
                progress,
                stop,
                retry_inconclusive=retry_inconclusive,
                ended=terminal.show_end,
            )
        )
