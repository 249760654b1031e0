"""``aguante explain``: explain the result of a run."""

from pathlib import Path

import click

from aguante.cli.options.run_folders import or_usage, run_folder
from aguante.cli.options.runs_option import runs_option
from aguante.cli.render.elapsed import elapsed_line
from aguante.report.analyse import analyse
from aguante.report.explain import UnknownSubjectError, explain, parse_question
from aguante.report.stored_run import read_frozen, read_judged
from aguante.run_folder.run_log import EvidenceError


@click.command("explain")
@click.argument("words", nargs=-1, metavar="[RUN] [expectation N | reservation ID | trace ID]")
@runs_option
def explain_command(words: tuple[str, ...], runs: Path) -> int:
    """Explain an expectation of a run, or follow one request through client, spans, breakers, rows and logs.

    \b
      aguante explain                     the first unmet expectation of the latest run, else its worst second
      aguante explain RUN                 the same for another run
      aguante explain RUN expectation 5   the responses in its time window, and a request that counts against it
      aguante explain RUN reservation ID  all events of a reservation (or: trace ID, or an idempotency key)

    Reads only the run folder; nothing is started. Times are in seconds since the load began. RUN is a folder, a
    run id, the beginning or end of one, or `latest`.

    Exit 0: explained; 3: no such run or subject.
    """
    folder, rest = _run_and_rest(words, runs)
    try:
        run = or_usage(read_frozen, folder)
        stored = run.folder.verdict.exists() and run.folder.measures.exists()
        with elapsed_line("Reading the evidence ..."):
            judged = or_usage(read_judged, folder) if stored else analyse(run)
            text = explain(run, judged, parse_question(rest))
        click.echo(text)
    except (UnknownSubjectError, EvidenceError) as error:
        raise click.UsageError(str(error)) from error
    return 0


def _run_and_rest(words: tuple[str, ...], runs: Path) -> tuple[Path, tuple[str, ...]]:
    """The first word names the run, unless it begins a question about the latest one."""
    if not words or words[0] in ("expectation", "reservation", "trace"):
        return run_folder(None, runs), words
    if words[0] == "latest":
        return run_folder(None, runs), words[1:]
    return run_folder(words[0], runs), words[1:]
