"""``aguante recover``: heal what killed runs left behind."""

import asyncio
from pathlib import Path
from typing import Any

import click

from aguante.cli.options.arguments import find_testbed
from aguante.cli.options.run_folders import runs_option
from aguante.drivers.driver import FaultDriver
from aguante.drivers.recovery_drivers import has_ended, recovery_driver
from aguante.faults.fault_kind import Undo
from aguante.run.recover_runs import Recovered, recover
from aguante.runtimes.testbed_state import default_parent


def heal_killed_runs(runs: Path) -> tuple[Recovered, ...]:
    """Heal every fault that killed runs below ``runs`` left behind.

    Raises:
        TestbedError: what is left of a testbed cannot be ended.
    """

    async def driver_for(undo: Undo) -> FaultDriver[Any]:
        return await recovery_driver(undo, lambda: find_testbed(None))

    return asyncio.run(recover(runs, default_parent(), driver_for, has_ended))


@click.command("recover")
@runs_option
def recover_command(runs: Path) -> int:
    """Heal what killed runs left behind: every fault that a journal intended and nobody verified undone.

    Runs that are alive are left alone. `aguante run` does the same before it starts. Repeating it does no
    harm. Exit 0: nothing is left to heal; 4: something could not be healed (it says what and how).
    """
    results = heal_killed_runs(runs)
    for each in results:
        if each.error:
            click.echo(f"{each.run_id}: {each.fault_id}: not healed: {each.error}", err=True)
        else:
            click.echo(f"{each.run_id}: {each.fault_id}: healed: {each.how}")
    if not results:
        click.echo("nothing to heal")
    return 4 if any(each.error for each in results) else 0
