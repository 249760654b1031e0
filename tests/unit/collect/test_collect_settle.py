"""When a system counts as settled."""

from collections.abc import Awaitable, Callable

import pytest

from aguante.collect.settle import wait_settled
from aguante.run_folder.events import Settled


class FakeTime:
    """A clock that advances only by sleeping."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def clock(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def reads(counts: list[int | None]) -> Callable[[], Awaitable[int | None]]:
    left = iter(counts)

    async def read() -> int | None:
        return next(left, counts[-1])

    return read


async def wait(counts: list[int | None], within_s: float = 30.0) -> Settled:
    time = FakeTime()
    return await wait_settled(reads(counts), within_s, clock=time.clock, sleep=time.sleep)


@pytest.mark.parametrize(
    ("counts", "took_s"),
    [([0, 0], 1.0), ([2, 1, 0, 0], 3.0), ([0, 1, 0, 0], 3.0), ([None, 0, 0], 2.0)],
)
async def test_two_empty_reads_in_a_row_are_settled(
    counts: list[int | None], took_s: float
) -> None:
    """One empty read is not enough, and a failed read is not empty."""
    assert await wait(counts) == Settled(settled=True, took_s=took_s, unsettled=0)


async def test_work_that_never_ends_is_not_settled() -> None:
    """At the limit, with the number of rows left."""
    result = await wait([3], within_s=5.0)
    assert result == Settled(settled=False, took_s=5.0, unsettled=3)


async def test_alternating_reads_are_not_settled() -> None:
    """There are never two empty reads in a row."""
    result = await wait([0, 1] * 20, within_s=10.0)
    assert not result.settled


async def test_a_database_that_cannot_be_read_is_not_settled() -> None:
    """Missing data is never a pass."""
    assert (await wait([None], within_s=3.0)).settled is False
