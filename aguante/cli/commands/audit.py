"""``aguante audit``: check the safety invariants on the databases of a running testbed or a recorded run."""

import asyncio
import tempfile
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from aguante.cli.consoles import STYLE, output_console
from aguante.cli.exit_code import ExitCode
from aguante.cli.options.duration import Duration
from aguante.cli.options.regular_file import INPUT_FILE, regular_file
from aguante.cli.options.run_folders import recorded_spec
from aguante.cli.options.running_testbeds import attached, which_argument
from aguante.cli.options.runtime_choice import attach_option
from aguante.cli.options.testbed_option import find_testbed, testbed_option
from aguante.cli.render.elapsed import elapsed_line
from aguante.collect.database_dump import DumpError, dump_tables
from aguante.collect.settle import settle
from aguante.measure.audit.invariant_audit import Audit, AuditedInvariant, audit
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.run_log import EvidenceError, read_run_log
from aguante.testbed.runtime import Testbed
from aguante.testbed.testbed_spec import InvariantSpec, TestbedSpec

ROWS_SHOWN = 5


@click.command("audit")
@which_argument
@attach_option
@click.option(
    "--run",
    "run_folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Check the tables and the ledger of a run folder instead of a running testbed.",
)
@click.option(
    "--ledger",
    type=INPUT_FILE,
    help="The responses that clients received (requests.jsonl); without it, invariants that read it are unknown.",
)
@click.option("--invariant", "names", multiple=True, help="Check only this invariant; repeatable.")
@click.option(
    "--within",
    "within_s",
    type=Duration(0, 600),
    help="How long to wait for the system to settle; default: as in a run. 0: read at once.",
)
@testbed_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def audit_command(  # noqa: PLR0913 - an argument for each option
    which: str | None,
    attach: str | None,
    run_folder: Path | None,
    ledger: Path | None,
    names: tuple[str, ...],
    within_s: float | None,
    testbed: Path | None,
    as_json: bool,
) -> int:
    """Check every safety invariant on the databases of a running testbed or of a run.

    WHICH is an ID from `aguante ps`, a Compose project, or FILE; default: the only running testbed.

    \b
    Exit codes:
      0  every invariant that was exercised held
      1  an invariant is violated, or the system did not settle in time
      2  an invariant could not be checked
      4  the databases or the ledger cannot be read
    """
    if run_folder and (which or attach):
        message = "give either a testbed or --run FOLDER"
        raise click.UsageError(message)
    if ledger:
        ledger = regular_file(ledger)
    try:
        if run_folder:
            found = _of_run(RunFolder(run_folder), ledger, names)
        else:
            spec = find_testbed(testbed)
            running = attached(which, attach, spec)
            found = asyncio.run(_of_testbed(running, spec, ledger, names, within_s))
    except (DumpError, EvidenceError) as error:
        click.echo(f"error: {error}", err=True)
        return ExitCode.TESTBED
    return _print(found, names, as_json)


def _of_run(folder: RunFolder, ledger: Path | None, names: tuple[str, ...]) -> Audit:
    spec, facts = recorded_spec(folder), read_run_log(folder.events)
    return audit(
        str(folder.root),
        spec,
        folder.tables,
        ledger=ledger or (folder.records if folder.records.exists() else None),
        settled=facts.settled.settled if facts.settled else None,
        wanted=_wanted(spec, names),
    )


async def _of_testbed(
    testbed: Testbed,
    spec: TestbedSpec,
    ledger: Path | None,
    names: tuple[str, ...],
    within_s: float | None,
) -> Audit:
    wanted, settled = _wanted(spec, names), None
    if within_s != 0:
        patience = {} if within_s is None else {"within_s": within_s}
        limits = spec.settle.model_copy(update=patience)
        with elapsed_line("Waiting for the system to settle ...", limits.within_s):
            settled = (await settle(limits, testbed)).settled
    with tempfile.TemporaryDirectory(prefix="aguante-audit-") as name:
        await dump_tables(testbed.databases, Path(name))
        return audit(
            f"testbed {testbed.id}",
            spec,
            Path(name),
            ledger=ledger,
            settled=settled,
            wanted=wanted,
        )


def _wanted(spec: TestbedSpec, names: tuple[str, ...]) -> tuple[InvariantSpec, ...] | None:
    """The invariants with these names; None: all of them.

    Raises:
        click.UsageError: an unknown name.
    """
    if not names:
        return None
    known = {each.name: each for each in spec.invariants}
    for name in names:
        if name not in known:
            message = f"--invariant {name}: no such invariant; there are: {', '.join(known)}"
            raise click.UsageError(message)
    return tuple(known[name] for name in dict.fromkeys(names))


def _print(found: Audit, names: tuple[str, ...], as_json: bool) -> int:
    """Print the result; returns the exit code."""
    questions = found.open_questions(names)
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        _print_table(found, questions)
    if found.violated:
        return ExitCode.DEVIATED
    return ExitCode.INCONCLUSIVE if questions else ExitCode.OK


def _print_table(found: Audit, questions: tuple[str, ...]) -> None:
    console = output_console()
    table = Table(box=box.SIMPLE_HEAD, title=found.subject, title_justify="left", pad_edge=False)
    table.add_column("outcome")
    table.add_column("invariant")
    table.add_column("exposure", justify="right")
    table.add_column("violations", justify="right")
    for each in found.invariants:
        word = f"[{STYLE[each.outcome]}]{each.outcome}[/]"
        table.add_row(word, each.name, str(each.exposure), str(each.violations))
    console.print(table)
    if found.settled is False:
        console.print("[red]The system did not settle in time: work is still in progress.[/]")
    for each in found.invariants:
        _print_rows(console, each)
    notes = [f"{e.name}: {e.because}" for e in found.invariants if e.outcome == "unknown"]
    for note in dict.fromkeys((*notes, *(q for q in questions if " is unknown: " not in q))):
        console.print(f"  - {escape(note)}", highlight=False, soft_wrap=True)


def _print_rows(console: Console, each: AuditedInvariant) -> None:
    if not each.rows:
        return
    shown = each.rows[:ROWS_SHOWN]
    table = Table(
        *(escape(column) for column in each.columns),
        box=box.SIMPLE_HEAD,
        title=f"{each.name}: {len(shown)} of {each.violations} offending rows",
        title_justify="left",
    )
    for row in shown:
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)
