"""One seat, many racers, and a slow database that keeps the window open: what each lock is worth."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from race_harness import Shop, shop_with, with_a_policy_for_each_lock

from aguante.testbed.testbed_spec import TestbedSpec

HONEST = {
    (503, "pool_exhausted"),  # 10 connections, all of them waiting for the row
    (503, "breaker_open"),  # after five of the others
    (504, "timeout"),  # a statement that waited 1 s for the row, or a step that took 2 s
    (504, "deadline"),
}
"""How a racer may be turned away without having been told that the seat is gone, and why."""


@pytest.fixture(scope="module")
async def shop(own_parent: Path, shop_spec: TestbedSpec) -> AsyncIterator[Shop]:
    """One testbed for all races."""
    spec = with_a_policy_for_each_lock(shop_spec, own_parent / "policies")
    async with shop_with(spec, own_parent, "row") as shop:
        yield shop


async def use_lock(shop: Shop, lock: str) -> None:
    if shop.testbed.policy != lock:
        shop.testbed = await shop.runtime.restart_services(lock, "")


@pytest.mark.parametrize("racers", [2, 50])
@pytest.mark.parametrize("lock", ["row", "process"])
async def test_one_seat_is_sold_once(shop: Shop, lock: str, racers: int) -> None:
    """With a lock that holds (one process: both do) one racer wins, and nobody is told anything untrue."""
    await use_lock(shop, lock)
    event_id = await shop.event(1)
    answers = await shop.race(event_id, racers)
    assert await shop.audited() == {}
    print(f"\n{lock}, {racers} racers: {dict(answers)}")
    assert answers.pop((200, "")) == 1
    assert answers.pop((409, "sold_out"), 0) >= 1
    assert set(answers) <= HONEST
    assert await shop.allocated(event_id) == 1


async def test_without_a_lock_the_seat_is_sold_again_and_again(shop: Shop) -> None:
    """The same race oversells, and the audit says so: what the lock is worth."""
    await use_lock(shop, "none")
    event_id = await shop.event(1)
    answers = await shop.race(event_id, 2)
    broken, sold = await shop.audited(), await shop.allocated(event_id)
    await shop.event(sold, event_id)  # fixes it, for the tests that audit after this one
    assert answers == {(200, ""): 2}
    assert sold == 2
    assert set(broken) == {"seats_add_up"}
    assert [row[0] for row in broken["seats_add_up"].rows] == [event_id]
