"""``aguante reconcile``: what was given back, confirmed late or notified late, and why."""

import asyncio
import re
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from aguante.cli.options.arguments import find_testbed, testbed_option
from aguante.cli.options.testbed_choice import one_state, recorded_spec
from aguante.cli.render.verdict_text import verdict_console
from aguante.collect.database_dump import DumpError, dump_tables
from aguante.measure.audit.sql_reports import Report, Since, run_report
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.run_log import EvidenceError
from aguante.testbed.runtime import Testbed
from aguante.testbed.testbed_spec import ReportSpec, TestbedSpec

REPORT = "reconcile"
TIME_LETTERS = len("2026-01-31 12:00:00.123")
UNREADABLE = 4
"""Exit code, as of every command: the testbed's fault."""
_AGO = re.compile(r"(\d{1,6})(s|m|h)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}


def since_of(_context: click.Context, _option: click.Parameter, given: str | None) -> Since:
    """``90s``, ``15m``, ``2h``, or an ISO 8601 time (without a zone: UTC).

    Raises:
        click.BadParameter: anything else.
    """
    if given is None:
        return None
    if ago := _AGO.fullmatch(given):
        return timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        time = datetime.fromisoformat(given)
    except ValueError as error:
        message = f"found {given!r}, expected 90s, 15m, 2h or a time such as 2026-01-31T12:00:00Z"
        raise click.BadParameter(message) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@click.command("reconcile")
@click.argument("testbed_id", metavar="[ID]", required=False)
@click.option(
    "--run",
    "run_folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Read the tables of a run folder instead of a running testbed.",
)
@click.option(
    "--since",
    callback=since_of,
    metavar="TIME",
    help="Leave out what happened before: 90s, 15m, 2h ago, or an ISO 8601 time.",
)
@testbed_option
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def reconcile_command(
    testbed_id: str | None,
    run_folder: Path | None,
    since: Since,
    testbed: Path | None,
    as_json: bool,
) -> int:
    """List what was compensated, refunded or sent again in testbed ID, and why, from its durable log.

    One line for each reservation that did not go straight through: when it left the straight way and from
    which state, the mechanism and link that made it, what became of seats, money and notice, and whether its
    own process or recovery did it (times are UTC). Nothing is waited for: what is under way is listed as it stands.

    \b
    Exit codes:
      0  the list was made, however long it is
      4  the databases cannot be read
    """
    if run_folder and testbed_id:
        message = "give either a testbed's ID or --run FOLDER"
        raise click.UsageError(message)
    try:
        if run_folder:
            folder = RunFolder(run_folder)
            spec = recorded_spec(folder)
            told = run_report(str(run_folder), spec, _report_of(spec), folder.tables, since)
        else:
            state = one_state(testbed_id)
            told = asyncio.run(_of_testbed(state.up, find_testbed(testbed), since))
    except (DumpError, EvidenceError) as error:
        click.echo(f"error: {error}", err=True)
        return UNREADABLE
    _print(told, as_json)
    return 0


async def _of_testbed(testbed: Testbed, spec: TestbedSpec, since: Since) -> Report:
    report = _report_of(spec)
    with tempfile.TemporaryDirectory(prefix="aguante-reconcile-") as name:
        await dump_tables(testbed.databases, Path(name))
        return run_report(f"testbed {testbed.id}", spec, report, Path(name), since)


def _report_of(spec: TestbedSpec) -> ReportSpec:
    """The testbed's report.

    Raises:
        click.UsageError: it has none.
    """
    for report in spec.reports:
        if report.name == REPORT:
            return report
    message = f"{spec.name} has no report {REPORT!r}: add one to reports: in its testbed.yaml"
    raise click.UsageError(message)


def _print(told: Report, as_json: bool) -> None:
    if as_json:
        click.echo(told.model_dump_json(indent=2))
        return
    console, count = verdict_console(), len(told.rows)
    title = f"{told.subject}: {count} reservation{'' if count == 1 else 's'} off the straight way (times in UTC)"
    console.print(title, highlight=False, markup=False, soft_wrap=True)
    for row in told.rows:
        when = (row.get("at") or "")[:TIME_LETTERS]
        line = f"{when}  {row.get('reservation_id')}  {row.get('story')}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
