"""Which run folder a command means."""

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from aguante.frozen import NotARunError, latest_run

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


def or_usage(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Do it; a folder that is no run is wrong usage (exit 3).

    Raises:
        click.UsageError: with the reason.
    """
    try:
        return work(*args, **kwargs)
    except NotARunError as error:
        raise click.UsageError(str(error)) from error
