"""Which experiments a command works on: files, folders, patterns and tags."""

import glob
from dataclasses import dataclass
from pathlib import Path

import click

from aguante.cli.options.testbed_option import find_testbed
from aguante.core.findings import did_you_mean
from aguante.experiment import Experiment, InvalidExperiment, load_experiment
from aguante.testbed.own_files import library_folder, library_names
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


def expand(given: tuple[Path, ...], testbed: Path | None = None) -> tuple[Path, ...]:
    """Replace folders, patterns and names from the library by their files; each file once.

    Raises:
        click.UsageError: a folder, pattern or name matches no experiment.
    """
    found: dict[Path, None] = {}
    for path in given:
        if path.is_dir():
            matches = sorted(path.glob("*.yaml"))
        elif path.exists() or not glob.has_magic(str(path)):
            is_name = not (path.exists() or path.suffix or path.is_absolute())
            matches = [_of_library(path, testbed) if is_name else path]
        else:
            matches = sorted(Path(each) for each in glob.glob(str(path), recursive=True))  # noqa: PTH207 - an absolute pattern too
        if not matches:
            message = f"{path}: no experiment (*.yaml) found"
            raise click.UsageError(message)
        found.update(dict.fromkeys(matches))
    return tuple(found)


def _of_library(name: Path, testbed: Path | None) -> Path:
    """The experiment with this name in the library.

    Raises:
        click.UsageError: there is none; lists the names.
    """
    found = library_folder(testbed) / f"{name}.yaml"
    if found.is_file():
        return found
    names = library_names(testbed)
    hint = did_you_mean(str(name), names, f"choose one of {', '.join(names)}")
    message = f"{name}: no such file, and no experiment with this name in {found.parent}; {hint}"
    raise click.UsageError(message)


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
    paths, spec = expand(given, testbed), find_testbed(testbed)
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
