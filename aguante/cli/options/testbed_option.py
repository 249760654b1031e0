"""``--testbed``: which TestbedSpec describes the system."""

from pathlib import Path

import click

from aguante.core.findings import shortened
from aguante.testbed.own_files import testbed_path
from aguante.testbed.testbed_file import InvalidTestbed, load_testbed
from aguante.testbed.testbed_spec import TestbedSpec

testbed_option = click.option(
    "--testbed",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The TestbedSpec; default: testbed.yaml in the current folder, else the one of Aguante's own shop.",
)


def find_testbed(given: Path | None) -> TestbedSpec:
    """Read the TestbedSpec.

    Raises:
        click.ClickException: the file is missing or invalid; the message lists every finding.
    """
    try:
        spec = load_testbed(testbed_path(given))
    except InvalidTestbed as error:
        raise click.ClickException(str(error)) from error
    return spec.model_copy(update={"given": str(given or "")})


def check_policy(spec: TestbedSpec, policy: str | None) -> None:
    """Reject an unknown policy before anything is started.

    Raises:
        click.UsageError: lists the known ones.
    """
    if policy is not None and policy not in spec.policy_names:
        known = ", ".join(spec.policy_names)
        message = (
            f"--policy {shortened(policy)}: no such policy in {spec.policies}; there are: {known}"
        )
        raise click.UsageError(message)
