"""The result of many runs, as suite.json stores it."""

from collections.abc import Sequence
from typing import Literal

from aguante.core.values import Value
from aguante.verdict.verdict import VerdictWord

FORMAT_VERSION = 1


GRAVEST_FIRST = (5, 4, 3, 1, 2)
"""Exit codes, gravest first: a crash, a testbed that failed, a file, then deviated before inconclusive."""


class SuiteRun(Value):
    """What came of one job. ``error``: no verdict, since the testbed failed or the runner crashed."""

    experiment: str
    title: str
    source: str
    policy: str
    repeat: int = 1
    entry: int = 0
    """From 0: which of the suite's entries (a file under a policy) it repeats; 0 in suites that did not say."""
    attempts: int = 1
    """More than 1: earlier ones were inconclusive and were played again."""
    run_id: str = ""
    """The run's folder beside the suite's; empty when there is none."""
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
    """How many runs were played at once."""
    planned: int
    """How many runs there would have been; fewer were played when it was stopped."""
    runs: tuple[SuiteRun, ...]

    @property
    def exit_code(self) -> int:
        """The gravest of all runs; 2 when a run is missing (it was stopped)."""
        missing = (2,) if len(self.runs) < self.planned else ()
        return worst([*(run.exit_code for run in self.runs), *missing])


def worst(codes: Sequence[int]) -> int:
    """The gravest exit code; 0 of none."""
    return next((code for code in GRAVEST_FIRST if code in codes), 0)
