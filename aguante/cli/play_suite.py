"""Playing many runs: a folder for the suite, a child per run, one table and one page at the end."""

import asyncio
import secrets
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from aguante.cli.options.stop_signals import stop_on_signals
from aguante.cli.render.verdict_text import print_suite
from aguante.report.overview import write_overview
from aguante.suite.child_runs import Children
from aguante.suite.many_runs import Job, Told, new_suite_id, play_jobs
from aguante.verdict.suite_result import Suite, SuiteRun

MARGIN_S = 900.0
"""Of one child beyond its plan, for whose phases an hour each is allowed: a start (perhaps with servers to be built),
heals by their limits, and reading millions of records."""


@dataclass(frozen=True)
class SuiteOptions:
    """How a suite is played."""

    runs: Path
    at_once: int
    retry_inconclusive: int
    child_options: tuple[str, ...]
    progress: Console
    quiet: bool


def command_line() -> str:
    """The command as it was typed, to be repeated."""
    return shlex.join(["aguante", *sys.argv[1:]])


async def play_suite(jobs: Sequence[Job], options: SuiteOptions) -> tuple[Suite, Path]:
    """Play all jobs in children; returns the suite and its folder, reports written.

    Raises:
        OSError: the folder cannot be written.
    """
    started = datetime.now(UTC)
    suite_id = new_suite_id(started, secrets.token_hex(2))
    folder = options.runs / suite_id
    (folder / "logs").mkdir(parents=True)
    began = time.monotonic()
    with stop_on_signals() as stop:
        children = Children(folder, options.child_options, MARGIN_S, stop)
        results = await play_jobs(
            jobs,
            children.play,
            at_once=options.at_once,
            retry_inconclusive=options.retry_inconclusive,
            stop=stop,
            told=_teller(options, len(jobs)),
        )
    suite = Suite(
        suite_id=suite_id,
        command=command_line(),
        started_at=started.isoformat(timespec="seconds"),
        took_s=round(time.monotonic() - began, 1),
        jobs=options.at_once,
        planned=len(jobs),
        runs=results,
    )
    await asyncio.to_thread(write_overview, suite, folder)
    return suite, folder


def show_suite(console: Console, suite: Suite, folder: Path) -> None:
    """The table, and where the pages are."""
    print_suite(console, suite)
    console.print(f"overview: {folder / 'overview.html'}", highlight=False, soft_wrap=True)


def _teller(options: SuiteOptions, total: int) -> Told:
    """Says when a run begins and how it ended."""

    def tell(job: Job, result: SuiteRun | None) -> None:
        if options.quiet:
            return
        name = f"[{job.number}/{total}] {job.experiment} (policy {job.policy})"
        text = f"{name} ..." if result is None else f"{name}: {_ending(result)}"
        options.progress.print(text, highlight=False, markup=False, soft_wrap=True)

    return tell


def _ending(result: SuiteRun) -> str:
    tries = f", attempt {result.attempts}" if result.attempts > 1 else ""
    return f"{result.verdict} after {result.took_s:.0f} s{tries}"
