"""What several commands share: arguments, and loading experiments against a testbed."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from aguante.core.findings import shortened
from aguante.experiment import Experiment, InvalidExperiment, load_experiment
from aguante.testbed.own_files import testbed_path
from aguante.testbed.testbed_file import InvalidTestbed, load_testbed
from aguante.testbed.testbed_spec import TestbedSpec

experiment_argument = click.argument(
    "experiments",
    nargs=-1,
    required=True,
    metavar="EXPERIMENT...",
    type=click.Path(path_type=Path),
)
testbed_option = click.option(
    "--testbed",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The TestbedSpec; default: the testbed.yaml of this folder, else Aguante's own.",
)
set_option = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another value for a variable (rate=30) or a place (load.rate_rps=30) of the file; may be given again.",
)


@dataclass(frozen=True)
class Loaded:
    """Experiments that are valid, and how many were not (their findings are already printed)."""

    spec: TestbedSpec
    experiments: tuple[tuple[Path, Experiment], ...]
    invalid: int


def find_testbed(given: Path | None) -> TestbedSpec:
    """Read the TestbedSpec.

    Raises:
        click.ClickException: it is not there, or not valid (every finding in the message).
    """
    try:
        spec = load_testbed(testbed_path(given))
    except InvalidTestbed as error:
        raise click.ClickException(str(error)) from error
    return spec.model_copy(update={"given": str(given or "")})


def load_all(
    paths: tuple[Path, ...], testbed: Path | None, sets: tuple[str, ...] = (), runtime: str = ""
) -> Loaded:
    """Load every file; print the findings of those that are not valid to stderr.

    Args:
        paths: the files.
        testbed: the TestbedSpec; None: as ``find_testbed`` finds it.
        sets: as ``--set`` gave them.
        runtime: refuse faults that it cannot do; empty: refuse none for that.

    Raises:
        click.ClickException: the TestbedSpec cannot be read.
    """
    spec = find_testbed(testbed)
    valid: list[tuple[Path, Experiment]] = []
    for path in paths:
        try:
            valid.append((path, load_experiment(path, spec, sets, runtime)))
        except InvalidExperiment as error:
            click.echo(str(error), err=True)
    return Loaded(spec, tuple(valid), len(paths) - len(valid))


def check_policy(spec: TestbedSpec, policy: str | None) -> None:
    """Refuse an unknown policy before anything is started.

    Raises:
        click.UsageError: names the known ones.
    """
    if policy is not None and policy not in spec.policy_names:
        known = ", ".join(spec.policy_names)
        message = (
            f"--policy {shortened(policy)}: no such file in {spec.policies}; there are: {known}"
        )
        raise click.UsageError(message)


def command_line() -> str:
    """The command as it was typed, to be repeated."""
    return shlex.join(["aguante", *sys.argv[1:]])
