"""Runs a suite: each job in a child process, and the results in a folder of the suite."""

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aguante.report.overview import write_overview
from aguante.suite.child_runs import ChildRuns
from aguante.suite.many_runs import Job, Report, new_suite_id, run_jobs
from aguante.verdict.suite_result import Suite, SuiteRun

MARGIN_S = 900.0
"""For one child beyond its planned duration: starting (perhaps building servers), healing within its limits, and
reading millions of records. A phase may last an hour."""


@dataclass(frozen=True)
class SuiteSettings:
    """How a suite is run."""

    runs: Path
    """Folder of all runs."""
    at_once: int
    retry_inconclusive: int
    child_options: Sequence[str]
    """Options of ``aguante run`` that all runs share."""
    command: str
    """The command line, to be repeated."""


async def run_suite(
    jobs: Sequence[Job], settings: SuiteSettings, stop: asyncio.Event, report: Report
) -> tuple[Suite, Path]:
    """Run all jobs; returns the suite and its folder, with its reports.

    Raises:
        OSError: the folder cannot be written.
    """
    started, began = datetime.now(UTC), time.monotonic()
    suite_id = new_suite_id(started, secrets.token_hex(2))
    folder = settings.runs / suite_id
    (folder / "logs").mkdir(parents=True)
    children = ChildRuns(folder, settings.child_options, MARGIN_S, stop)
    results = await run_jobs(
        jobs,
        children.run,
        at_once=settings.at_once,
        retry_inconclusive=settings.retry_inconclusive,
        stop=stop,
        report=report,
    )
    suite = Suite(
        suite_id=suite_id,
        command=settings.command,
        started_at=started.isoformat(timespec="seconds"),
        took_s=round(time.monotonic() - began, 1),
        jobs=settings.at_once,
        planned=len(jobs),
        runs=results,
    )
    await asyncio.to_thread(write_overview, suite, folder)
    return suite, folder


def suite_of_one(result: SuiteRun, started: datetime, command: str) -> Suite:
    """A single run as a suite without a folder, for ``--json``; ``started`` is an aware time."""
    return Suite(
        suite_id="",
        command=command,
        started_at=started.isoformat(timespec="seconds"),
        took_s=round((datetime.now(UTC) - started).total_seconds(), 1),
        jobs=1,
        planned=1,
        runs=(result,),
    )
