"""Which experiments a command works on: files, folders, patterns and tags."""

import glob
from dataclasses import dataclass
from pathlib import Path

import click

from aguante.cli.options.testbed_option import find_testbed
from aguante.experiment import Experiment, InvalidExperiment, load_experiment
from aguante.testbed.testbed_spec import TestbedSpec

experiment_argument = click.argument(
    "experiments",
    nargs=-1,
    required=True,
    metavar="EXPERIMENT...",
    type=click.Path(path_type=Path),
)
set_option = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="NAME=VALUE",
    help="Override a variable (rate=30) or a key (load.rate_rps=30) of the file; repeatable.",
)
tag_option = click.option(
    "--tag", "tags", multiple=True, help="Only experiments with this tag; repeatable."
)


@dataclass(frozen=True)
class Loaded:
    """The valid experiments, and how many files were invalid (their findings are already printed)."""

    spec: TestbedSpec
    experiments: tuple[tuple[Path, Experiment], ...]
    invalid: int


def expand(given: tuple[Path, ...]) -> tuple[Path, ...]:
    """Replace folders by their experiments and patterns by their matches; each file once.

    Raises:
        click.UsageError: a folder or pattern matches no experiment.
    """
    found: dict[Path, None] = {}
    for path in given:
        if path.is_dir():
            matches = sorted(path.glob("*.yaml"))
        elif path.exists() or not glob.has_magic(str(path)):
            matches = [path]
        else:
            matches = sorted(Path(each) for each in glob.glob(str(path), recursive=True))  # noqa: PTH207 - an absolute pattern too
        if not matches:
            message = f"{path}: no experiment (*.yaml) found"
            raise click.UsageError(message)
        found.update(dict.fromkeys(matches))
    return tuple(found)


def select(
    given: tuple[Path, ...],
    tags: tuple[str, ...],
    testbed: Path | None,
    sets: tuple[str, ...] = (),
    runtime: str = "",
) -> Loaded:
    """Load experiments; print the findings of invalid files to standard error and count those files.

    Args:
        given: files, folders and patterns.
        tags: keep only experiments with one of these tags; empty: keep all.
        testbed: the TestbedSpec; None: as ``find_testbed`` finds it.
        sets: the values of ``--set``.
        runtime: reject faults that this runtime cannot inject; empty: do not check.

    Raises:
        click.ClickException: the TestbedSpec cannot be read.
        click.UsageError: no experiment is left.
    """
    paths, spec = expand(given), find_testbed(testbed)
    valid: list[tuple[Path, Experiment]] = []
    for path in paths:
        try:
            valid.append((path, load_experiment(path, spec, sets, runtime)))
        except InvalidExperiment as error:
            click.echo(str(error), err=True)
    invalid = len(paths) - len(valid)
    chosen = tuple(each for each in valid if not tags or set(tags) & set(each[1].tags))
    if not chosen and not invalid:
        known = sorted({tag for _, experiment in valid for tag in experiment.tags})
        message = (
            f"no experiment has the tag {' or '.join(tags)}; tags: {', '.join(known) or 'none'}"
        )
        raise click.UsageError(message)
    return Loaded(spec, chosen, invalid)
