"""Runs a suite and shows on the terminal when each run begins, how it ended, and how long the rest takes."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from aguante.cli.options.stop_signals import run_with_stop
from aguante.core.durations import about
from aguante.suite.many_runs import Job
from aguante.suite.suite_runner import SuiteSettings, run_suite
from aguante.verdict.suite_result import Suite, SuiteRun


def play_suite(
    jobs: Sequence[Job], settings: SuiteSettings, progress: Console, *, quiet: bool = False
) -> tuple[Suite, Path]:
    """Run all jobs, until Ctrl-C at most; returns the suite and its folder.

    Raises:
        OSError: the folder cannot be written.
    """
    report = _ignore if quiet else SuiteProgress(progress, jobs, settings.at_once).report
    return run_with_stop(lambda stop: run_suite(jobs, settings, stop, report))


def _ignore(job: Job, result: SuiteRun | None) -> None:
    """Show nothing."""


class SuiteProgress:
    """Prints a line when a run begins and when it ends, with an estimate of the time left."""

    def __init__(self, console: Console, jobs: Sequence[Job], at_once: int) -> None:
        self._console, self._total, self._at_once = console, len(jobs), at_once
        self._left_s = {job.number: job.lasts_s for job in jobs}
        self._planned_s = self._took_s = 0.0
        """Of the runs that have ended: by plan, and in fact."""

    def report(self, job: Job, result: SuiteRun | None) -> None:
        """Print a line; ``result`` is None when the job begins."""
        name = f"[{job.number}/{self._total}] {job.experiment} (policy {job.policy})"
        if result is None:
            text = f"{name} ... {self.time_left()}"
        else:
            self._left_s.pop(job.number, None)
            self._planned_s += job.lasts_s
            self._took_s += result.took_s
            text = f"{name}: {_ending(result)}"
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def time_left(self) -> str:
        """From the plan of the runs that are left, scaled by how long the others took."""
        scale = self._took_s / self._planned_s if self._planned_s else 1.0
        return f"(about {about(sum(self._left_s.values()) * scale / self._at_once)} left)"


def _ending(result: SuiteRun) -> str:
    attempts = f", attempt {result.attempts}" if result.attempts > 1 else ""
    return f"{result.verdict} after {result.took_s:.0f} s{attempts}"
