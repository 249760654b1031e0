"""``aguante validate``: every fault of every file at once; starts nothing."""

from pathlib import Path

import click

from aguante.cli.options.arguments import experiment_argument, set_option, testbed_option
from aguante.cli.options.experiment_choice import select, tag_option
from aguante.cli.options.runtime_choice import runtime_option
from aguante.experiment.live_conditions import late_conditions
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
    """Check EXPERIMENT files: every fault of a file at once, with file:line and how to fix it.

    EXPERIMENT is a file, a folder (all its *.yaml), or a pattern in quotes. A file with faults is told
    whatever its tags.

    With --runtime, faults that it cannot do are found too. Nothing is started. Exit 0: all files are valid;
    3: at least one is not.
    """
    loaded = select(experiments, tags, testbed, sets, runtime_name or "")
    for path, experiment in loaded.experiments:
        click.echo(f"{path}: valid")
        for note in late_conditions(experiment):
            click.echo(f"{path}: note: {note}")
    return 3 if loaded.invalid else 0
