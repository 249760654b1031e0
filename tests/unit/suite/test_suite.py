"""Which runs a suite has, in which order, and with which results; nothing is started."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from suite_lines import DOWN, SLOW, line, line_of, suite

from aguante.suite.many_runs import Job, interleave, new_suite_id, run_jobs
from aguante.verdict.suite_result import SuiteRun, worst


class Player:
    """Returns verdicts from a script per experiment, and records the jobs."""

    def __init__(self, script: dict[str, Sequence[str]] | None = None) -> None:
        self._script = {name: list(words) for name, words in (script or {}).items()}
        self.played: list[tuple[str, int]] = []
        self.now = 0
        self.most = 0

    async def __call__(self, job: Job) -> SuiteRun:
        self.now += 1
        self.most = max(self.most, self.now)
        self.played.append((job.experiment, job.repeat))
        await asyncio.sleep(0)
        self.now -= 1
        words = self._script.get(job.experiment, [])
        return line_of(job, words.pop(0) if words else "held")


async def play(
    jobs: Sequence[Job],
    player: Player,
    *,
    at_once: int = 1,
    retries: int = 0,
    stop: asyncio.Event | None = None,
) -> tuple[SuiteRun, ...]:
    return await run_jobs(
        jobs,
        player,
        at_once=at_once,
        retry_inconclusive=retries,
        stop=stop or asyncio.Event(),
        report=lambda *_: None,
    )


def test_rounds_are_interleaved_and_every_second_goes_backwards() -> None:
    """A B, B A, A B: slow changes of the machine affect both alike, and neither is always first."""
    order = [(job.experiment[0], job.repeat) for job in interleave([SLOW, DOWN], 3, None)]
    assert order == [("p", 1), ("i", 1), ("i", 2), ("p", 2), ("p", 3), ("i", 3)]


def test_every_run_keeps_the_place_of_its_entry() -> None:
    """In either order of a round, and even if two entries are the same."""
    assert [job.entry for job in interleave([SLOW, SLOW], 3, None)] == [0, 1, 1, 0, 0, 1]


def test_a_given_seed_counts_up_with_the_rounds() -> None:
    """The runs of one round share a seed, and each round has another; without a seed each run draws its own."""
    assert [job.seed for job in interleave([SLOW, DOWN], 2, 40)] == [40, 40, 41, 41]
    assert [job.seed for job in interleave([SLOW], 2, None)] == [None, None]


async def test_results_come_in_the_order_of_the_jobs() -> None:
    """However many run at once."""
    jobs = interleave([SLOW, DOWN], 3, None)
    results = await play(jobs, Player(), at_once=4)
    assert [(r.experiment, r.repeat) for r in results] == [(j.experiment, j.repeat) for j in jobs]


@pytest.mark.parametrize("at_once", [1, 2, 3])
async def test_as_many_run_at_once_as_allowed(at_once: int) -> None:
    """The limit is used, and never exceeded."""
    player = Player()
    await play(interleave([SLOW], 6, None), player, at_once=at_once)
    assert (player.most, len(player.played)) == (at_once, 6)


async def test_an_inconclusive_run_is_repeated_up_to_the_limit() -> None:
    """The last attempt counts and has the number of attempts."""
    player = Player({"payments-slow": ["inconclusive", "inconclusive", "held"]})
    (result,) = await play(interleave([SLOW], 1, None), player, retries=2)
    assert (result.verdict, result.attempts) == ("held", 3)
    player = Player({"payments-slow": ["inconclusive"] * 3})
    (result,) = await play(interleave([SLOW], 1, None), player, retries=1)
    assert (result.verdict, result.attempts) == ("inconclusive", 2)


@pytest.mark.parametrize("word", ["deviated", "error", "held"])
async def test_only_an_inconclusive_run_is_repeated(word: str) -> None:
    """Repeating a deviated run until it holds would hide what was found."""
    player = Player({"payments-slow": [word, "held"]})
    (result,) = await play(interleave([SLOW], 1, None), player, retries=3)
    assert (result.verdict, result.attempts, len(player.played)) == (word, 1, 1)


async def test_after_a_signal_no_run_begins_or_is_repeated() -> None:
    """The current run ends by itself; the others are missing from the results."""
    stop = asyncio.Event()

    class Stopping(Player):
        async def __call__(self, job: Job) -> SuiteRun:
            stop.set()
            return await super().__call__(job)

    player = Stopping({"payments-slow": ["inconclusive"]})
    results = await play(interleave([SLOW, DOWN], 2, None), player, retries=2, stop=stop)
    assert player.played == [("payments-slow", 1)]
    assert [result.verdict for result in results] == ["inconclusive"]


@pytest.mark.parametrize(
    ("codes", "code"),
    [([], 0), ([0, 0], 0), ([0, 2], 2), ([2, 1], 1), ([1, 4], 4), ([4, 5, 1], 5), ([3, 1], 3)],
)
def test_the_gravest_exit_code_is_the_suites(codes: list[int], code: int) -> None:
    """A crash before a testbed that failed, before deviated, before inconclusive."""
    assert worst(codes) == code


def test_a_suite_that_was_stopped_is_inconclusive() -> None:
    """Runs that did not begin prove nothing, even if all others held."""
    assert suite(line(), planned=1).exit_code == 0
    assert suite(line(), planned=2).exit_code == 2
    assert suite(line("deviated"), planned=2).exit_code == 1


def test_an_expected_deviation_is_a_success() -> None:
    """`expected_verdict: deviated`, when met, exits 0."""
    met = line("deviated", expected_verdict="deviated", exit_code=0)
    assert suite(met).exit_code == 0


def test_the_id_of_a_suite_sorts_by_time_and_needs_a_time_zone() -> None:
    """Like that of a run."""
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert new_suite_id(at, "beef") == "suite-20260102T030405Z-beef"
    with pytest.raises(ValueError, match="aware"):
        new_suite_id(at.replace(tzinfo=None), "beef")
