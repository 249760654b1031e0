"""The race for one seat with two inventories: a lock in one process knows nothing of the other."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from race_harness import Shop, shop_with, with_a_policy_for_each_lock

from aguante.testbed.testbed_spec import TestbedSpec

pytestmark = pytest.mark.long("a testbed of its own, whose services are restarted")

RACERS = 20
"""Each comes over a connection of its own: that all meet in one replica happens once in 500,000 races."""


@pytest.fixture(scope="module")
async def shop(own_parent: Path, shop_spec: TestbedSpec) -> AsyncIterator[Shop]:
    """One testbed with two inventories."""
    spec = with_a_policy_for_each_lock(shop_spec, own_parent / "policies")
    async with shop_with(spec, own_parent, "process", {"inventory": 2}) as shop:
        yield shop


async def test_a_lock_in_the_process_oversells_with_two_replicas(shop: Shop) -> None:
    """Each replica sells the seat once, and the audit says so."""
    event_id = await shop.event(1)
    answers = await shop.race(event_id, RACERS)
    broken, sold = await shop.audited(), await shop.allocated(event_id)
    await shop.event(sold, event_id)  # fixes it, for the test that audits after this one
    print(f"\nprocess, two replicas: {dict(answers)}")
    assert answers[200, ""] == sold == 2
    assert set(broken) == {"seats_add_up"}
    assert [row[0] for row in broken["seats_add_up"].rows] == [event_id]


async def test_a_lock_on_the_row_holds_with_two_replicas(shop: Shop) -> None:
    """The database makes the second reader wait, whatever process it is in."""
    shop.testbed = await shop.runtime.restart_services("row", "")
    event_id = await shop.event(1)
    answers = await shop.race(event_id, RACERS)
    assert await shop.audited() == {}
    print(f"\nrow, two replicas: {dict(answers)}")
    assert answers[200, ""] == await shop.allocated(event_id) == 1
