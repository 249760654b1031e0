"""``--with prometheus,jaeger``: what watches a testbed besides the runner."""

import click

from aguante.runtimes.sidecars import SIDECARS, Sidecars
from aguante.testbed.runtime import TestbedError


def observers_of(_: click.Context, __: click.Parameter, value: str) -> Sidecars:
    """The option's value as Sidecars; names are parted by commas.

    Raises:
        click.BadParameter: a name that is none.
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
    help=f"Start {' and '.join(SIDECARS)} too (--with {','.join(SIDECARS)}), to be asked.",
)
