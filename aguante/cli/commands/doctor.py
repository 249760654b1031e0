"""``aguante doctor``: check this machine, or the telemetry of a running testbed."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click
from pydantic import TypeAdapter
from rich import box
from rich.markup import escape
from rich.table import Table

from aguante.cli.consoles import output_console
from aguante.cli.diagnose.check import Check
from aguante.cli.diagnose.machine_check import SUPPORTED, Machine, examine
from aguante.cli.diagnose.telemetry_check import examine_telemetry
from aguante.cli.exit_code import ExitCode
from aguante.cli.options.running_testbeds import attached
from aguante.cli.options.runs_option import runs_option
from aguante.cli.options.testbed_option import find_testbed, testbed_option
from aguante.cli.render.elapsed import elapsed_line

STYLE = {"ok": "green", "note": "yellow", "missing": "bold red", "broken": "bold red"}


@click.command("doctor")
@runs_option
@testbed_option
@click.option(
    "--attach",
    metavar="WHICH",
    help="Check the telemetry of a running testbed instead: an ID from `aguante ps`, a Compose project, or FILE.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def doctor_command(runs: Path, testbed: Path | None, attach: str | None, as_json: bool) -> int:
    """Check this machine: what a native run needs, what is installed, what is missing and how to get it.

    Starts, builds and downloads nothing. With --attach it sends one request through the entry of the testbed and
    follows it: metrics, dropped spans, the relay, the targets of Prometheus, and the trace in Jaeger.

    Exit 0: a run can be started, or telemetry works; 4: something is missing or broken.
    """
    if attach is None:
        with elapsed_line("Checking this machine ..."):
            checks = examine(Machine.here(runs))
        good, bad = "A run can be started.", "a run cannot be started"
    else:
        running = attached(None, attach, find_testbed(testbed))
        with elapsed_line("Following a request ..."):
            checks = asyncio.run(examine_telemetry(running))
        good, bad = "Telemetry works.", "telemetry does not work"
    wrong = [each for each in checks if each.state in ("missing", "broken")]
    code = ExitCode.TESTBED if wrong else ExitCode.OK
    if as_json:
        click.echo(TypeAdapter(tuple[Check, ...]).dump_json(checks, indent=2).decode())
        return code
    console = output_console()
    console.print(_table(checks))
    if attach is None:
        console.print(f"Supported: {SUPPORTED}.", highlight=False)
    console.print(f"{len(wrong)} {wrong[0].state}: {bad}" if wrong else good, highlight=False)
    return code


def _table(checks: Sequence[Check]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("", "check", "found", "fix"):
        table.add_column(column, overflow="fold")
    for each in checks:
        state = f"[{STYLE[each.state]}]{each.state}[/]"
        table.add_row(state, escape(each.name), escape(each.found), escape(each.fix))
    return table
