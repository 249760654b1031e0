"""Which experiments a command means: files, folders, globs and tags."""

import glob
from pathlib import Path

import click

from aguante.cli.options.arguments import Loaded, load_all
from aguante.core.findings import did_you_mean
from aguante.testbed.own_files import library_folder, library_names

tag_option = click.option(
    "--tag", "tags", multiple=True, help="Only experiments with this tag; may be given again."
)


def expand(given: tuple[Path, ...], testbed: Path | None = None) -> tuple[Path, ...]:
    """A folder becomes its experiments, a pattern its matches, a name the library's file; each file once.

    Raises:
        click.UsageError: a folder or pattern holds nothing, or the library has no experiment of that name.
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
            message = f"{path}: no experiment (*.yaml) is there"
            raise click.UsageError(message)
        found.update(dict.fromkeys(matches))
    return tuple(found)


def _of_library(name: Path, testbed: Path | None) -> Path:
    """The experiment of that name in the library; raises click.UsageError that lists the names."""
    found = library_folder(testbed) / f"{name}.yaml"
    if found.is_file():
        return found
    names = library_names(testbed)
    hint = did_you_mean(str(name), names, f"choose one of {', '.join(names)}")
    message = f"{name}: no such file, and no experiment of that name in {found.parent}; {hint}"
    raise click.UsageError(message)


def select(
    given: tuple[Path, ...],
    tags: tuple[str, ...],
    testbed: Path | None,
    sets: tuple[str, ...] = (),
    runtime: str = "",
) -> Loaded:
    """Load what is meant, for this runtime; with tags, only experiments that have one of them.

    Findings of invalid files are printed to standard error and counted, whatever their tags.

    Raises:
        click.ClickException: the TestbedSpec cannot be read.
        click.UsageError: nothing is left.
    """
    loaded = load_all(expand(given, testbed), testbed, sets, runtime)
    if not tags:
        return loaded
    chosen = tuple(each for each in loaded.experiments if set(tags) & set(each[1].tags))
    if not chosen and not loaded.invalid:
        message = f"no experiment has the tag {' or '.join(tags)}; there are: {_tags(loaded)}"
        raise click.UsageError(message)
    return Loaded(loaded.spec, chosen, loaded.invalid)


def _tags(loaded: Loaded) -> str:
    known = {tag for _, experiment in loaded.experiments for tag in experiment.tags}
    return ", ".join(sorted(known)) or "none"
