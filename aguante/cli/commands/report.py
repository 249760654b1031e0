"""``aguante report`` and ``aguante verdict``: work from a run folder; nothing is started."""

from pathlib import Path

import click

from aguante.cli.consoles import output_console
from aguante.cli.options import completion_names as names
from aguante.cli.options.run_folders import or_usage, run_folder
from aguante.cli.options.runs_option import runs_option
from aguante.cli.render.elapsed import elapsed_line
from aguante.cli.render.verdict_text import print_verdict
from aguante.core.stored_values import read_value
from aguante.report.analyse import analyse
from aguante.report.overview import write_overview
from aguante.report.stored_run import read_frozen, read_judged
from aguante.run_folder.run_log import EvidenceError
from aguante.verdict.suite_result import Suite

run_argument = click.argument("run", metavar="[RUN]", required=False, shell_complete=names.runs)


@click.command("report")
@run_argument
@runs_option
def report_command(run: str | None, runs: Path) -> int:
    """Write report.html, report.md and junit.xml of RUN again, from its stored measures and verdict.

    RUN is a run folder, a run id, or the beginning or end of one; default: the latest run. For the folder of a
    suite, its overview is written again. To judge a run again, use `aguante verdict`. Exit 3: no such run.
    """
    folder = run_folder(run, runs)
    suite = folder / "suite.json"
    if suite.exists():
        write_overview(or_usage(read_value, Suite, suite), folder)
        click.echo(folder / "overview.html")
        return 0
    judged = or_usage(read_judged, folder)
    with elapsed_line("Writing the reports ..."):
        or_usage(judged.write_reports)
    click.echo(judged.folder.report_html)
    return 0


@click.command("verdict")
@run_argument
@runs_option
@click.option("--write", is_flag=True, help="Replace the stored measures, verdict and reports.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def verdict_command(run: str | None, runs: Path, write: bool, as_json: bool) -> int:
    """Judge RUN again from its evidence: requests, spans, tables, and the frozen experiment.

    The same folder gives the same verdict. If the result differs from the stored one, the command says so: an
    earlier version judged differently, or the folder was changed. RUN as for `aguante report`.

    Exit code: that of the verdict; 3: no such run.
    """
    folder = run_folder(run, runs)
    try:
        with elapsed_line("Reading the evidence ..."):
            judged = analyse(or_usage(read_frozen, folder))
    except EvidenceError as error:
        raise click.UsageError(str(error)) from error
    text = judged.verdict.model_dump_json(indent=2)
    stored = judged.folder.verdict
    if stored.exists() and stored.read_text() != text:
        click.echo(f"differs from the stored {stored}", err=True)
    if write:
        or_usage(judged.write)
    if as_json:
        click.echo(text)
    else:
        print_verdict(output_console(), judged.verdict, judged.folder)
    return judged.verdict.exit_code
