"""Which experiments a command works on: files, folders, patterns and tags."""

import glob
import hashlib
from dataclasses import dataclass
from pathlib import Path

import click

from aguante.cli.options.runs_option import writable
from aguante.cli.options.testbed_option import find_testbed
from aguante.core.findings import did_you_mean
from aguante.core.input_files import STDIN, is_stream
from aguante.core.yaml_files import is_yaml_file, named_yaml, yaml_files
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

    Backups of editors are left out: a shell puts them among the matches of ``folder/*``.

    Raises:
        click.UsageError: a folder, pattern or name matches no experiment.
    """
    found: dict[Path, None] = {}
    for path in given:
        matches = _matches(path, testbed)
        if not matches:
            message = f"{path}: no experiment (*.yaml) found"
            raise click.UsageError(message)
        found.update(dict.fromkeys(matches))
    return tuple(found)


def _matches(path: Path, testbed: Path | None) -> list[Path]:
    if path == STDIN or path.is_file() or is_stream(path):
        return [] if path.name.endswith("~") else [path]
    if path.is_dir():
        return yaml_files(path)
    if path.exists():
        return [path]
    if glob.has_magic(str(path)):
        return _of_pattern(path)
    return [path if path.suffix or path.is_absolute() else _of_library(path, testbed)]


def _of_pattern(pattern: Path) -> list[Path]:
    """The files that match. The existing beginning of the path is literal: a folder may be called ``[work]``."""
    base, rest = Path(pattern.anchor), list(pattern.relative_to(pattern.anchor).parts)
    while (base / rest[0]).exists():
        base /= rest.pop(0)
    names = glob.glob("/".join(rest), root_dir=base, recursive=True)  # noqa: PTH207 - without hidden files
    found = sorted(base / name for name in names)
    return [path for path in found if is_yaml_file(path)] or found


def _of_library(name: Path, testbed: Path | None) -> Path:
    """The experiment with this name in the library.

    Raises:
        click.UsageError: there is none; lists the names.
    """
    found = named_yaml(library_folder(testbed), str(name))
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
    keep_in: Path | None = None,
) -> Loaded:
    """Load experiments; print the findings of invalid files to standard error and count those files.

    Args:
        given: files, folders, patterns and names; ``-`` is standard input.
        tags: keep only experiments with one of these tags; empty: keep all.
        testbed: the TestbedSpec; None: as ``find_testbed`` finds it.
        sets: the values of ``--set``.
        runtime: reject faults that this runtime cannot inject; empty: do not check.
        keep_in: store experiments from standard input or a pipe in this folder, so that a run can be repeated.

    Raises:
        click.ClickException: the TestbedSpec cannot be read.
        click.UsageError: no experiment is left.
        TestbedError: ``keep_in`` cannot be written.
    """
    paths, spec = expand(given, testbed), find_testbed(testbed)
    valid: list[tuple[Path, Experiment]] = []
    for path in paths:
        try:
            experiment = load_experiment(path, spec, sets, runtime)
            if keep_in and is_stream(path):
                path = _kept(experiment, keep_in)
                experiment = load_experiment(path, spec, sets, runtime)
            valid.append((path, experiment))
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


def _kept(experiment: Experiment, folder: Path) -> Path:
    """A file with the text of an experiment; the same text is always the same file."""
    writable(folder)
    source = experiment.origin.source
    path = folder / f"{experiment.name}-{hashlib.sha256(source).hexdigest()[:8]}.yaml"
    path.write_bytes(source)
    return path
