"""``aguante recover``: undo the faults that killed runs left behind."""

import asyncio
from pathlib import Path

import click

from aguante.cli.exit_code import ExitCode
from aguante.cli.options.runs_option import runs_option
from aguante.cli.render.elapsed import elapsed_line
from aguante.run.recover_runs import recover
from aguante.runtimes.testbed_state import default_parent


@click.command("recover")
@runs_option
def recover_command(runs: Path) -> int:
    """Undo the faults that killed runs left behind: every journaled fault whose undo was not verified.

    Runs in progress are not touched. `aguante run` does the same before it starts. The command can safely be
    repeated.

    Exit 0: nothing is left to undo; 4: a fault could not be undone (the message says why).
    """
    with elapsed_line("Undoing faults ..."):
        results = asyncio.run(recover(runs, default_parent()))
    for each in results:
        if each.error:
            click.echo(f"{each.run_id}: {each.fault_id}: not healed: {each.error}", err=True)
        else:
            click.echo(f"{each.run_id}: {each.fault_id}: healed: {each.how}")
    if not results:
        click.echo("nothing to heal")
    return ExitCode.TESTBED if any(each.error for each in results) else ExitCode.OK
