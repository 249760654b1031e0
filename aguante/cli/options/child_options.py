"""Options of commands that make several runs, and the options that they pass on to the process of each run."""

from pathlib import Path

import click

from aguante.runtimes.chosen_runtime import ChosenRuntime

jobs_option = click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="Number of concurrent runs, each with its own testbed; each needs about one core.",
)
retry_option = click.option(
    "--retry-inconclusive",
    type=click.IntRange(0, 5),
    default=0,
    show_default=True,
    metavar="N",
    help="Repeat an inconclusive run up to N times; deviated runs are never repeated.",
)


def passed_on(
    testbed: Path | None, runs: Path, sets: tuple[str, ...], runtime: ChosenRuntime
) -> tuple[str, ...]:
    """The options for every child process of a suite."""
    spec = ("--testbed", str(testbed)) if testbed else ()
    settings = (part for text in sets for part in ("--set", text))
    return (*spec, *settings, *runtime.options, "--runs", str(runs))
