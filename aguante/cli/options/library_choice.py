"""``aguante run`` without a file: offers the experiments of the library."""

import sys
from pathlib import Path

import click

from aguante.core.yaml_document import read_document
from aguante.core.yaml_files import named_yaml
from aguante.testbed.own_files import first_experiment, library_folder, library_names


def choose_experiment(testbed: Path | None, *, ask: bool) -> Path:
    """List the experiments, and on a terminal ask for one.

    Args:
        testbed: the TestbedSpec whose library it is; None: as ``find_testbed`` finds it.
        ask: False: never ask, because the output is for a program.

    Raises:
        click.UsageError: there is no terminal to ask at, or no library.
        click.Abort: none was chosen.
    """
    folder, names = library_folder(testbed), library_names(testbed)
    if not names:
        message = f"Missing argument 'EXPERIMENT...': give a file; there is no library in {folder}"
        raise click.UsageError(message)
    click.echo(f"Experiments in {folder}:\n", err=True)
    width = max(len(name) for name in names)
    for number, name in enumerate(names, start=1):
        click.echo(f"  {number:2}  {name:{width}}  {_title(named_yaml(folder, name))}", err=True)
    if not (ask and sys.stdin.isatty() and sys.stderr.isatty()):
        example = f"aguante run {first_experiment(testbed)}"
        message = f"Missing argument 'EXPERIMENT...': give a name from this list, as in `{example}`"
        raise click.UsageError(message)
    number = click.prompt(
        "\nNumber of the experiment to run (Ctrl-C: none)",
        type=click.IntRange(1, len(names)),
        err=True,
    )
    return named_yaml(folder, names[number - 1])


def _title(path: Path) -> str:
    data = read_document(path).data
    return str(data.get("title", "")) if isinstance(data, dict) else ""
