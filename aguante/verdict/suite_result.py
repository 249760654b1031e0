"""The result of many runs, as suite.json stores it."""

from collections.abc import Sequence
from typing import Literal

from aguante.core.values import Value
from aguante.verdict.verdict import VerdictWord

FORMAT_VERSION = 1


MOST_SEVERE_FIRST = (5, 4, 3, 1, 2)
"""Exit codes by severity: crash, failed testbed, invalid file, deviated, inconclusive."""


class SuiteRun(Value):
    """The result of one job. ``error``: no verdict, because the testbed failed or the runner crashed."""

    experiment: str
    title: str
    source: str
    policy: str
    repeat: int = 1
    entry: int = 0
    """Index of the suite's entry (a file under a policy) that it repeats; 0 in suites of earlier versions."""
    attempts: int = 1
    """More than 1: earlier attempts were inconclusive and were repeated."""
    run_id: str = ""
    """Name of the run's folder, next to the suite's; empty: there is none."""
    seed: int | None = None
    verdict: VerdictWord | Literal["error"]
    expected_verdict: VerdictWord = "held"
    exit_code: int
    headline: str = ""
    """The verdict's headline, or what went wrong."""
    reasons: tuple[str, ...] = ()
    took_s: float = 0.0
    log: str = ""
    """The run's output, relative to the suite's folder; empty when it went to the terminal."""


class Suite(Value):
    """``suite.json``, and what ``aguante run --json`` prints."""

    format_version: int = FORMAT_VERSION
    suite_id: str
    """``suite-<UTC time>-<4 hex>``, also the folder's name; empty for a single run."""
    command: str
    started_at: str
    """ISO 8601, UTC."""
    took_s: float
    jobs: int
    """How many runs were executed at the same time."""
    planned: int
    """How many runs were planned; fewer were executed if the suite was stopped."""
    runs: tuple[SuiteRun, ...]

    @property
    def exit_code(self) -> int:
        """The most severe of all runs; 2 if a run is missing because the suite was stopped."""
        missing = (2,) if len(self.runs) < self.planned else ()
        return worst([*(run.exit_code for run in self.runs), *missing])


def worst(codes: Sequence[int]) -> int:
    """The most severe exit code; 0 for none."""
    return next((code for code in MOST_SEVERE_FIRST if code in codes), 0)
