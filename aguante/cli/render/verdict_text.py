"""Verdicts as text for the terminal: verdict, headline, expectations and invariants."""

from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from aguante.cli.consoles import STYLE
from aguante.run_folder.folder import RunFolder
from aguante.verdict.suite_result import Suite, SuiteRun
from aguante.verdict.verdict import Verdict


def _styled(word: str) -> str:
    return f"[{STYLE[word]}]{word}[/]"


def print_verdict(console: Console, verdict: Verdict, folder: RunFolder) -> None:
    """Print headline, reasons, expectations, invariants, and the path of the report."""
    console.print()
    console.print(
        f"{_styled(verdict.verdict)}  {escape(verdict.experiment)} "
        f"({verdict.runtime}, policy {escape(verdict.policy)}, seed {verdict.seed})",
        highlight=False,
    )
    console.print(escape(verdict.headline), highlight=False)
    for reason in verdict.reasons:
        console.print(f"  - {escape(reason)}", highlight=False)
    console.print(_expectations(verdict))
    console.print(_invariants(verdict))
    _print_path(console, "report", folder.report_html)


def _expectations(verdict: Verdict) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="Expectations", title_justify="left", pad_edge=False)
    table.add_column("outcome", no_wrap=True)
    table.add_column("expectation")
    table.add_column("observed", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    for result in verdict.expectations:
        table.add_row(
            _styled(result.outcome),
            escape(result.text),
            escape(result.observed),
            str(result.n),
        )
    return table


def _invariants(verdict: Verdict) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="Invariants", title_justify="left", pad_edge=False)
    table.add_column("outcome")
    table.add_column("invariant")
    table.add_column("exposure", justify="right")
    table.add_column("violations", justify="right")
    for result in verdict.invariants:
        table.add_row(
            _styled(result.outcome),
            escape(result.name),
            str(result.measure.exposure),
            str(result.measure.violations),
        )
    return table


def print_suite(console: Console, suite: Suite, folder: Path) -> None:
    """Print one line per run, the reasons of runs that did not end as expected, and the path of the overview."""
    table = Table(box=box.SIMPLE_HEAD, title="Runs", title_justify="left", pad_edge=False)
    for name in ("verdict", "experiment", "policy"):
        table.add_column(name)
    table.add_column("round", justify="right")
    table.add_column("tries", justify="right")
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("run", overflow="fold")
    for run in suite.runs:
        table.add_row(
            _as_expected(run),
            escape(run.experiment),
            escape(run.policy),
            str(run.repeat),
            str(run.attempts),
            f"{run.took_s:.0f} s",
            escape(run.run_id or "-"),
        )
    console.print(table)
    for run in suite.runs:
        if run.exit_code != 0:
            console.print(f"{_styled(run.verdict)} {escape(run.experiment)}:", highlight=False)
            for reason in run.reasons or (run.headline,):
                console.print(f"  - {escape(reason)}", highlight=False)
    left = suite.planned - len(suite.runs)
    if left:
        console.print(f"stopped: {left} of {suite.planned} runs were not started", highlight=False)
    _print_path(console, "overview", folder / "overview.html")


def _print_path(console: Console, name: str, path: Path) -> None:
    """Without markup: a folder may be called ``[work]``."""
    console.print(f"{name}: {path}", highlight=False, markup=False, soft_wrap=True)


def _as_expected(run: SuiteRun) -> str:
    expected = run.verdict == run.expected_verdict
    style = "bold green" if expected else STYLE[run.verdict]
    return f"[{style}]{run.verdict}[/]" + (
        " (as expected)" if expected and run.verdict != "held" else ""
    )
