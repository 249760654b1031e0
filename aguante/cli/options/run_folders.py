"""Which run folder a command works on."""

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from aguante.core.stored_values import NotARunError, read_value
from aguante.report.stored_run import latest_run
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.run_log import EvidenceError
from aguante.testbed.testbed_spec import TestbedSpec

P = ParamSpec("P")
R = TypeVar("R")


def run_folder(given: str | None, runs: Path) -> Path:
    """The folder of a run, from a path, a run id, or a unique beginning or end of an id; None: the latest.

    Raises:
        click.UsageError: no run matches, or several do.
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
        message = f"{given} matches {len(found)} runs ({', '.join(found[:5])}): give more of the id"
    else:
        message = f"{given}: no such run in {runs}; `aguante list --runs` lists all"
    raise click.UsageError(message)


def recorded_spec(folder: RunFolder) -> TestbedSpec:
    """The TestbedSpec that was frozen into a run folder.

    Raises:
        EvidenceError: it is missing, or was written by another version.
    """
    try:
        return read_value(TestbedSpec, folder.testbed)
    except (OSError, NotARunError) as error:
        message = f"{folder.testbed} cannot be read: {error}. Give the folder of a single run"
        raise EvidenceError(message) from error


def or_usage(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call ``work``; a folder that is not a run is wrong usage (exit 3).

    Raises:
        click.UsageError: gives the reason.
    """
    try:
        return work(*args, **kwargs)
    except NotARunError as error:
        raise click.UsageError(str(error)) from error
