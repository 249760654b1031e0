"""``aguante recover``: heal what killed runs left behind."""

import asyncio
from pathlib import Path

import click

from aguante.commands.folders import runs_option
from aguante.drivers.base import ToxiproxyUndo
from aguante.drivers.router import AnyUndo, Drivers
from aguante.drivers.toxiproxy import ToxiproxyDriver
from aguante.inject import is_gone
from aguante.recover import recover
from aguante.runtimes.state import default_parent


def driver_for(undo: AnyUndo) -> Drivers:
    """The driver that restores this undo; one on a link names its own Toxiproxy."""
    api = undo.api if isinstance(undo, ToxiproxyUndo) else ""
    return Drivers(ToxiproxyDriver(api, "recover"), None)


def gone(undo: AnyUndo) -> bool:
    """A testbed that was ended took the toxics in its Toxiproxy's memory with it."""
    return isinstance(undo, ToxiproxyUndo) and is_gone(undo.api)


@click.command("recover")
@runs_option
def recover_command(runs: Path) -> int:
    """Heal what killed runs left behind: every fault that a journal intended and nobody verified undone.

    Runs that are alive are left alone. `aguante run` does the same before it starts. Repeating it does no
    harm. Exit 0: nothing is left to heal; 4: something could not be healed (it says what and how).
    """
    results = asyncio.run(recover(runs, default_parent(), driver_for, gone))
    for each in results:
        if each.error:
            click.echo(f"{each.run_id}: {each.fault_id}: not healed: {each.error}", err=True)
        else:
            click.echo(f"{each.run_id}: {each.fault_id}: healed: {each.how}")
    if not results:
        click.echo("nothing to heal")
    return 4 if any(each.error for each in results) else 0
