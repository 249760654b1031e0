"""``aguante recover``: heal what killed runs left behind."""

import asyncio
from pathlib import Path

import click

from aguante.cli.options.run_folders import runs_option
from aguante.run.recover_runs import recover
from aguante.runtimes.testbed_state import default_parent


@click.command("recover")
@runs_option
def recover_command(runs: Path) -> int:
    """Heal what killed runs left behind: every fault that a journal intended and nobody verified undone.

    Runs that are alive are left alone. `aguante run` does the same before it starts. Repeating it does no
    harm. Exit 0: nothing is left to heal; 4: something could not be healed (it says what and how).
    """
    results = asyncio.run(recover(runs, default_parent()))
    for each in results:
        if each.error:
            click.echo(f"{each.run_id}: {each.fault_id}: not healed: {each.error}", err=True)
        else:
            click.echo(f"{each.run_id}: {each.fault_id}: healed: {each.how}")
    if not results:
        click.echo("nothing to heal")
    return 4 if any(each.error for each in results) else 0
