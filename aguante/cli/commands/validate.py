"""``aguante validate``: check experiment files; starts nothing."""

from pathlib import Path

import click

from aguante.cli.exit_code import ExitCode
from aguante.cli.options.experiment_files import experiment_argument, select, set_option, tag_option
from aguante.cli.options.runtime_choice import runtime_option
from aguante.cli.options.testbed_option import testbed_option
from aguante.runtimes.chosen_runtime import RuntimeName


@click.command("validate")
@experiment_argument
@testbed_option
@set_option
@tag_option
@runtime_option
def validate_command(
    experiments: tuple[Path, ...],
    testbed: Path | None,
    sets: tuple[str, ...],
    tags: tuple[str, ...],
    runtime_name: RuntimeName | None,
) -> int:
    """Check EXPERIMENT files and report every error at once, with file:line and how to fix it.

    EXPERIMENT is a file, a folder (all its YAML files), a quoted pattern, a name from the library (see `aguante list`),
    or - for standard input. Nothing is started. Errors are reported regardless of --tag. With
    --runtime, faults that the runtime cannot inject are errors too.

    Exit 0: all files are valid; 3: at least one is invalid.
    """
    loaded = select(experiments, tags, testbed, sets, runtime_name or "")
    for path, experiment in loaded.experiments:
        click.echo(f"{path}: valid")
        for note in experiment.late_conditions():
            click.echo(f"{path}: note: {note}")
    return ExitCode.INVALID if loaded.invalid else ExitCode.OK
