"""Runs a suite and shows on the terminal when each run begins and how it ended."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from aguante.cli.options.stop_signals import run_with_stop
from aguante.suite.many_runs import Job, Report
from aguante.suite.suite_runner import SuiteSettings, run_suite
from aguante.verdict.suite_result import Suite, SuiteRun


def play_suite(
    jobs: Sequence[Job], settings: SuiteSettings, progress: Console, *, quiet: bool = False
) -> tuple[Suite, Path]:
    """Run all jobs, until Ctrl-C at most; returns the suite and its folder.

    Raises:
        OSError: the folder cannot be written.
    """
    report = _ignore if quiet else _reporter(progress, len(jobs))
    return run_with_stop(lambda stop: run_suite(jobs, settings, stop, report))


def _ignore(job: Job, result: SuiteRun | None) -> None:
    """Show nothing."""


def _reporter(console: Console, total: int) -> Report:
    def report(job: Job, result: SuiteRun | None) -> None:
        name = f"[{job.number}/{total}] {job.experiment} (policy {job.policy})"
        text = f"{name} ..." if result is None else f"{name}: {_ending(result)}"
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    return report


def _ending(result: SuiteRun) -> str:
    attempts = f", attempt {result.attempts}" if result.attempts > 1 else ""
    return f"{result.verdict} after {result.took_s:.0f} s{attempts}"
