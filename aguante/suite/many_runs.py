"""Many runs as one: which are played, in which order, how many at once, and what came of them.

Each run is a process with a testbed of its own; this module only decides and counts. Who plays a job is
an argument, so that everything here is tested without starting anything.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aguante.verdict.suite_result import SuiteRun


@dataclass(frozen=True)
class Job:
    """One run to play."""

    number: int
    """From 1, in the order of starting."""
    path: str
    """The experiment file, as given."""
    experiment: str
    title: str
    policy: str
    """The name of the policy that will really be played."""
    policy_given: bool
    """Whether it is not the experiment's own."""
    seed: int | None
    repeat: int
    """From 1: which repetition of the same experiment and policy."""
    entry: int = 0
    """From 0: which of the suite's entries this is a repetition of; two may be of the same file and policy."""
    lasts_s: float = 0.0
    """By its plan: all phases, and the longest rest after them."""


def new_suite_id(now: datetime, token: str) -> str:
    """``suite-<UTC time>-<token>``: sorts by time beside the runs.

    Raises:
        ValueError: ``now`` is naive.
    """
    if now.tzinfo is None:
        message = "new_suite_id wants an aware time: give one with a time zone"
        raise ValueError(message)
    return f"suite-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{token}"


Play = Callable[[Job], Awaitable[SuiteRun]]
Told = Callable[[Job, SuiteRun | None], None]


async def play_jobs(
    jobs: Sequence[Job],
    play: Play,
    *,
    at_once: int,
    retry_inconclusive: int,
    stop: asyncio.Event,
    told: Told,
) -> tuple[SuiteRun, ...]:
    """Play every job, at most ``at_once`` at a time, in order; none is begun once ``stop`` is set.

    A job whose verdict is inconclusive is played again up to ``retry_inconclusive`` times, at once and in
    the same place. A deviated one never is: playing until it holds would hide what was found.

    Args:
        jobs: in the order of starting.
        play: plays one; must itself heed ``stop``, and must not raise for a run that fails.
        at_once: at least 1.
        retry_inconclusive: at least 0.
        stop: set by a signal.
        told: called with (job, None) when one begins, with its result when it has ended.

    Returns:
        The results in the order of ``jobs``, without those that were not begun.
    """
    results: dict[int, SuiteRun] = {}
    waiting = list(reversed(jobs))

    async def worker() -> None:
        while waiting and not stop.is_set():
            job = waiting.pop()
            told(job, None)
            result = await _until_conclusive(job, play, retry_inconclusive, stop)
            results[job.number] = result
            told(job, result)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once, len(jobs))):
            group.create_task(worker())
    return tuple(results[job.number] for job in jobs if job.number in results)


async def _until_conclusive(job: Job, play: Play, retries: int, stop: asyncio.Event) -> SuiteRun:
    result = await play(job)
    attempts = 1
    while result.verdict == "inconclusive" and attempts <= retries and not stop.is_set():
        result = await play(job)
        attempts += 1
    return result.model_copy(update={"attempts": attempts})


@dataclass(frozen=True)
class Entry:
    """One experiment under one policy, before it is repeated."""

    path: str
    experiment: str
    title: str
    policy: str
    policy_given: bool = False
    lasts_s: float = 0.0
    """By its plan (``lasts_s`` of ``aguante.cli.play_single``)."""


def interleave(entries: Sequence[Entry], repeat: int, seed: int | None) -> tuple[Job, ...]:
    """Every entry once, then every entry again, ...: what drifts with time meets all of them alike.

    Every second round goes backwards (A B, B A, A B, ...), so that none is always the first after a pause.

    Args:
        entries: at least one.
        repeat: how many rounds, at least 1.
        seed: of the first round; each further round takes the next number. None: each run draws its own.
    """
    jobs: list[Job] = []
    numbered = list(enumerate(entries))
    for round_ in range(repeat):
        for entry, each in numbered if round_ % 2 == 0 else reversed(numbered):
            jobs.append(
                Job(
                    number=len(jobs) + 1,
                    path=each.path,
                    experiment=each.experiment,
                    title=each.title,
                    policy=each.policy,
                    policy_given=each.policy_given,
                    seed=None if seed is None else seed + round_,
                    repeat=round_ + 1,
                    entry=entry,
                    lasts_s=each.lasts_s,
                )
            )
    return tuple(jobs)
