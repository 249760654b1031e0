"""``--runs``: the folder that contains all runs."""

import tempfile
from pathlib import Path

import click

from aguante.testbed.runtime import TestbedError

runs_option = click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="The folder that contains all runs.",
)


def writable(runs: Path) -> None:
    """Create the folder of all runs and write to it once, before anything is started.

    Raises:
        TestbedError: it cannot be written; gives the reason.
    """
    try:
        runs.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=runs, prefix=".writable-") as file:
            file.write(b"a run writes here")
            file.flush()
    except OSError as why:
        reason = why.strerror or type(why).__name__
        message = (
            f"--runs {runs}: {reason}; nothing was started. Give a writable folder with free space"
        )
        raise TestbedError(message) from why
