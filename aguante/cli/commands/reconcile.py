"""``aguante reconcile``: what was compensated, confirmed late or notified late, and why."""

import asyncio
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from aguante.cli.consoles import output_console
from aguante.cli.exit_code import ExitCode
from aguante.cli.options.run_folders import recorded_spec
from aguante.cli.options.running_testbeds import attached, which_argument
from aguante.cli.options.runtime_choice import attach_option
from aguante.cli.options.testbed_option import find_testbed, testbed_option
from aguante.collect.database_dump import DumpError, dump_tables
from aguante.core.durations import EXAMPLES, seconds_of
from aguante.measure.audit.sql_reports import Report, Since, run_report
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.run_log import EvidenceError
from aguante.testbed.runtime import Testbed
from aguante.testbed.testbed_spec import ReportSpec, TestbedSpec

REPORT = "reconcile"
TIME_LETTERS = len("2026-01-31 12:00:00.123")


def since_of(_context: click.Context, _option: click.Parameter, given: str | None) -> Since:
    """Parse a duration before now (``90s``, ``2h``), or an ISO 8601 time (UTC unless it has a zone).

    Raises:
        click.BadParameter: neither.
    """
    if given is None:
        return None
    ago_s = seconds_of(given)
    if ago_s is not None:
        return timedelta(seconds=ago_s)
    try:
        time = datetime.fromisoformat(given)
    except ValueError as error:
        message = f"found {given!r}, expected {EXAMPLES}, or a time such as 2026-01-31T12:00:00Z"
        raise click.BadParameter(message) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@click.command("reconcile")
@which_argument
@attach_option
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
    help="Only from this time on: a duration before now (90s, 2h), or an ISO 8601 time.",
)
@testbed_option
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def reconcile_command(
    which: str | None,
    attach: str | None,
    run_folder: Path | None,
    since: Since,
    testbed: Path | None,
    as_json: bool,
) -> int:
    """List what was compensated, refunded or sent again, and why, from the durable log of a testbed or a run.

    WHICH is an ID from `aguante ps`, a Compose project, or FILE; default: the only running testbed.

    Prints one line for each reservation that left the happy path: when and in which state it did, the mechanism
    and link that caused it, what happened to seats, payment and notification, and whether its own process or
    the recovery worker completed it. Times are in UTC. The command does not wait: work in progress is listed in its
    current state.

    \b
    Exit codes:
      0  the list was printed, even if it is empty
      4  the databases cannot be read
    """
    if run_folder and (which or attach):
        message = "give either a testbed or --run FOLDER"
        raise click.UsageError(message)
    try:
        if run_folder:
            folder = RunFolder(run_folder)
            spec = recorded_spec(folder)
            report = run_report(str(run_folder), spec, _report_of(spec), folder.tables, since)
        else:
            spec = find_testbed(testbed)
            running = attached(which, attach, spec)
            report = asyncio.run(_of_testbed(running, spec, since))
    except (DumpError, EvidenceError) as error:
        click.echo(f"error: {error}", err=True)
        return ExitCode.TESTBED
    _print(report, as_json)
    return 0


async def _of_testbed(testbed: Testbed, spec: TestbedSpec, since: Since) -> Report:
    report = _report_of(spec)
    with tempfile.TemporaryDirectory(prefix="aguante-reconcile-") as name:
        await dump_tables(testbed.databases, Path(name))
        return run_report(f"testbed {testbed.id}", spec, report, Path(name), since)


def _report_of(spec: TestbedSpec) -> ReportSpec:
    """The definition of the report in the TestbedSpec.

    Raises:
        click.UsageError: there is none.
    """
    for report in spec.reports:
        if report.name == REPORT:
            return report
    message = f"{spec.name} has no report {REPORT!r}: add one to reports: in its testbed.yaml"
    raise click.UsageError(message)


def _print(report: Report, as_json: bool) -> None:
    if as_json:
        click.echo(report.model_dump_json(indent=2))
        return
    console, count = output_console(), len(report.rows)
    title = f"{report.subject}: {count} reservation{'' if count == 1 else 's'} that left the happy path (times in UTC)"
    console.print(title, highlight=False, markup=False, soft_wrap=True)
    for row in report.rows:
        when = (row.get("at") or "")[:TIME_LETTERS]
        line = f"{when}  {row.get('reservation_id')}  {row.get('story')}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
