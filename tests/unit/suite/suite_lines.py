"""Handmade results of suites."""

from aguante.suite.many_runs import Entry, Job
from aguante.verdict.suite_result import Suite, SuiteRun

SLOW = Entry("slow.yaml", "payments-slow", "Payments is slow", "default")
DOWN = Entry("down.yaml", "inventory-down", "Inventory is down", "default")
WORDS = {"held": 0, "deviated": 1, "inconclusive": 2, "error": 4}


def line(verdict: str = "held", **changes: object) -> SuiteRun:
    """A run of payments-slow with this verdict, expected to hold."""
    return SuiteRun.model_validate(
        {
            "experiment": "payments-slow",
            "title": "Payments is slow",
            "source": "slow.yaml",
            "policy": "default",
            "run_id": "20260102T030405Z-payments-slow-0000",
            "seed": 7,
            "verdict": verdict,
            "exit_code": WORDS[verdict],
            "headline": "504 after 3 s, until the breaker opened",
            "took_s": 40.2,
            **changes,
        }
    )


def line_of(job: Job, verdict: str = "held") -> SuiteRun:
    """The result of this job."""
    return line(
        verdict,
        experiment=job.experiment,
        title=job.title,
        policy=job.policy,
        repeat=job.repeat,
        entry=job.entry,
        seed=job.seed,
    )


def suite(*runs: SuiteRun, planned: int | None = None) -> Suite:
    """A suite of these runs, one at a time."""
    return Suite(
        suite_id="suite-20260102T030405Z-0000",
        command="aguante run slow.yaml --repeat 2",
        started_at="2026-01-02T03:04:05+00:00",
        took_s=81.0,
        jobs=1,
        planned=len(runs) if planned is None else planned,
        runs=runs,
    )
