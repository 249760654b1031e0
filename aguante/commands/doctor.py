"""``aguante doctor``: what is here, what is missing, and how to get it."""

from pathlib import Path

import click
from pydantic import TypeAdapter
from rich import box
from rich.markup import escape
from rich.table import Table

from aguante.commands.folders import runs_option
from aguante.doctor import SUPPORTED, Check, Machine, examine
from aguante.terminal import verdict_console

STYLE = {"ok": "green", "note": "yellow", "missing": "bold red"}


@click.command("doctor")
@runs_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor_command(runs: Path, as_json: bool) -> int:
    """Look at this machine: what a native run needs, what is there, what is missing and how to get it.

    Starts, builds and downloads nothing. Exit 0: a run can be started; 4: something it needs is missing.
    """
    checks = examine(Machine.here(runs))
    missing = [each for each in checks if each.state == "missing"]
    if as_json:
        click.echo(TypeAdapter(tuple[Check, ...]).dump_json(checks, indent=2).decode())
        return 4 if missing else 0
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("", "what", "found", "what to do"):
        table.add_column(column, overflow="fold")
    for each in checks:
        state = f"[{STYLE[each.state]}]{each.state}[/]"
        table.add_row(state, escape(each.name), escape(each.found), escape(each.mend))
    console = verdict_console()
    console.print(table)
    console.print(f"Supported: {SUPPORTED}.", highlight=False)
    console.print(
        f"{len(missing)} missing: no run can be started" if missing else "A run can be started.",
        highlight=False,
    )
    return 4 if missing else 0
