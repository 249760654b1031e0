"""Which run folder a command means."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from aguante.core.stored_values import NotARunError
from aguante.report.stored_run import latest_run
from aguante.testbed.runtime import TestbedError

runs_option = click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Folder of all runs.",
)

P = ParamSpec("P")
R = TypeVar("R")


def run_folder(given: str | None, runs: Path) -> Path:
    """The folder of a run: a path, a run id, the unique beginning or end of one, or the latest.

    Raises:
        click.UsageError: there is none, or there are several.
    """
    if given is None:
        return or_usage(latest_run, runs)
    if Path(given).is_dir():
        return Path(given)
    names = sorted(path.parent.name for path in runs.glob("*/plan.json"))
    found = [name for name in names if name.startswith(given) or name.endswith(given)]
    if len(found) == 1:
        return runs / found[0]
    if found:
        message = f"{given} could be {', '.join(found[:5])}: give more of it"
    else:
        message = f"{given}: no such run in {runs}; `aguante list --runs` shows all"
    raise click.UsageError(message)


def writable(runs: Path) -> None:
    """Make the folder of all runs, and try it, before anything is started.

    Raises:
        TestbedError: nothing can be written there; says why.
    """
    try:
        runs.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=runs, prefix=".writable-") as file:
            file.write(b"a run writes here")
            file.flush()
    except OSError as why:
        reason = why.strerror or type(why).__name__
        message = f"--runs {runs}: {reason}; nothing was started. Give a folder that can be written and has space"
        raise TestbedError(message) from why


def or_usage(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Do it; a folder that is no run is wrong usage (exit 3).

    Raises:
        click.UsageError: with the reason.
    """
    try:
        return work(*args, **kwargs)
    except NotARunError as error:
        raise click.UsageError(str(error)) from error
