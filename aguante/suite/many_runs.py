"""Schedules many runs: which ones, in which order, and how many at once.

What runs a job is an argument, so nothing is started from here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from aguante.experiment import Experiment
from aguante.run.single import until_conclusive
from aguante.testbed.testbed_spec import TestbedSpec
from aguante.verdict.suite_result import SuiteRun


@dataclass(frozen=True)
class Entry:
    """One experiment under one policy, to be repeated."""

    path: str
    """Path of the experiment file as given."""
    experiment: str
    title: str
    policy: str
    """Name of the policy that is used."""
    policy_given: bool = False
    """Whether the command line gave the policy, and not the experiment."""
    lasts_s: float = 0.0
    """Planned duration: all phases, and the settling limit."""

    @classmethod
    def of(
        cls, path: Path, experiment: Experiment, spec: TestbedSpec, policy: str | None
    ) -> "Entry":
        """An experiment under ``policy``; None: under its own."""
        return cls(
            path=str(path),
            experiment=experiment.name,
            title=experiment.title,
            policy=policy or experiment.policy,
            policy_given=policy is not None,
            lasts_s=planned_s(experiment, spec),
        )


@dataclass(frozen=True, kw_only=True)
class Job(Entry):
    """One run of a suite: one repetition of an entry."""

    number: int
    """From 1, in starting order."""
    seed: int | None
    repeat: int
    """From 1: number of the repetition."""
    entry: int
    """From 0: the entry that this run repeats; two entries may have the same file and policy."""


def new_suite_id(now: datetime, token: str) -> str:
    """``suite-<UTC time>-<token>``, which sorts by time.

    Raises:
        ValueError: ``now`` is naive.
    """
    if now.tzinfo is None:
        message = "new_suite_id needs an aware time; give it a time zone"
        raise ValueError(message)
    return f"suite-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{token}"


RunJob = Callable[[Job], Awaitable[SuiteRun]]
Report = Callable[[Job, SuiteRun | None], None]
"""Called with (job, None) when a job begins, and with its result when it ends."""


async def run_jobs(
    jobs: Sequence[Job],
    run_job: RunJob,
    *,
    at_once: int,
    retry_inconclusive: int,
    stop: asyncio.Event,
    report: Report,
) -> tuple[SuiteRun, ...]:
    """Run every job in order, at most ``at_once`` at a time; none begins once ``stop`` is set.

    An inconclusive job is repeated at once, up to ``retry_inconclusive`` times.

    Args:
        jobs: in starting order.
        run_job: runs one; must react to ``stop``, and must not raise for a run that fails.
        at_once: at least 1.
        retry_inconclusive: at least 0.
        stop: set by a signal.
        report: called when a job begins and when it ends.

    Returns:
        The results in the order of ``jobs``, without the jobs that did not begin.
    """
    results: dict[int, SuiteRun] = {}
    waiting = list(reversed(jobs))

    async def worker() -> None:
        while waiting and not stop.is_set():
            job = waiting.pop()
            report(job, None)
            result = await until_conclusive(partial(run_job, job), retry_inconclusive, stop)
            results[job.number] = result
            report(job, result)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once, len(jobs))):
            group.create_task(worker())
    return tuple(results[job.number] for job in jobs if job.number in results)


def planned_s(experiment: Experiment, spec: TestbedSpec) -> float:
    """The planned duration of a run: all phases, and the settling limit before the audit."""
    return sum(length for _, length in experiment.phases.lengths()) + spec.settle.within_s


def interleave(entries: Sequence[Entry], repeat: int, seed: int | None) -> tuple[Job, ...]:
    """Every entry once per round, so that slow changes of the machine affect all entries alike.

    Every second round is reversed (A B, B A, A B, ...), so that no entry is always the first of its round.

    Args:
        entries: at least one.
        repeat: number of rounds, at least 1.
        seed: of the first round; each further round adds 1. None: each run draws its own.
    """
    jobs: list[Job] = []
    numbered = list(enumerate(entries))
    for round_ in range(repeat):
        for at, entry in numbered if round_ % 2 == 0 else reversed(numbered):
            round_seed = None if seed is None else seed + round_
            job = Job(
                **asdict(entry), number=len(jobs) + 1, seed=round_seed, repeat=round_ + 1, entry=at
            )
            jobs.append(job)
    return tuple(jobs)
