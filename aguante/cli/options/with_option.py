"""``--with prometheus,jaeger``: observability servers to start beside a testbed."""

import click

from aguante.runtimes.sidecars import SIDECARS, Sidecars
from aguante.testbed.runtime import TestbedError


def observers_of(_: click.Context, __: click.Parameter, value: str) -> Sidecars:
    """Parse a comma-separated list of names.

    Raises:
        click.BadParameter: an unknown name.
    """
    names = frozenset(name.strip() for name in value.split(",") if name.strip())
    try:
        return Sidecars(names)
    except TestbedError as error:
        raise click.BadParameter(str(error)) from error


with_option = click.option(
    "--with",
    "sidecars",
    default="",
    metavar="NAMES",
    callback=observers_of,
    help=f"Also start {' and '.join(SIDECARS)} (--with {','.join(SIDECARS)}).",
)
