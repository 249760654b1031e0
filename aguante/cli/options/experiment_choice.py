"""Which experiments a command means: files, folders, globs and tags."""

import glob
from pathlib import Path

import click

from aguante.cli.options.arguments import Loaded, load_all

tag_option = click.option(
    "--tag", "tags", multiple=True, help="Only experiments with this tag; may be given again."
)


def expand(given: tuple[Path, ...]) -> tuple[Path, ...]:
    """A folder becomes its experiments, a pattern its matches, anything else itself; each file once.

    Raises:
        click.UsageError: a folder or pattern holds nothing.
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
            message = f"{path}: no experiment (*.yaml) is there"
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
    """Load what is meant, for this runtime; with tags, only experiments that have one of them.

    Findings of invalid files are printed to standard error and counted, whatever their tags.

    Raises:
        click.ClickException: the TestbedSpec cannot be read.
        click.UsageError: nothing is left.
    """
    loaded = load_all(expand(given), testbed, sets, runtime)
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
