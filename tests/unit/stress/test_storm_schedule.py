"""What a storm will do, from its seed alone."""

from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from aguante.faults.toxics import TOXICS as KNOWN
from aguante.faults.toxics import findings
from aguante.testbed.testbed_spec import TestbedSpec
from stress.schedule import AIMED_AT, TOXICS, capacities, gusts, orders, strikes

LINKS = ("a-b", "b-c", "c-db")
SEQUENCES: dict[str, Callable[[int], Iterator[object]]] = {
    "orders": lambda seed: orders(seed, 14.0),
    "gusts": lambda seed: gusts(seed, 0, LINKS),
    "strikes": lambda seed: strikes(seed, ["gateway", "payments"]),
    "aimed strikes": lambda seed: strikes(seed, [AIMED_AT]),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_seed_replays_its_storm(name: str) -> None:
    """The same seed gives the same sequence, another seed another one."""
    make = SEQUENCES[name]
    first, again, other = (list(islice(make(seed), 300)) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_lanes_of_one_seed_differ() -> None:
    """Two lanes do not blow the same toxics at the same times."""
    one, two = (list(islice(gusts(7, lane, LINKS), 20)) for lane in (0, 1))
    assert one != two


def test_every_toxic_is_safe_for_toxiproxy() -> None:
    """No draw can crash the server: each is within the bounds that a YAML file is held to."""
    for gust in islice(gusts(3, 0, LINKS), 5_000):
        assert findings(gust.fault.toxic, dict(gust.fault.attributes), gust.fault.toxicity) == []


def test_every_kind_of_toxic_comes_on_every_link_in_both_directions() -> None:
    """Nothing of the table is left out by the draw."""
    seen = {
        (gust.fault.toxic, gust.fault.link, gust.fault.stream)
        for gust in islice(gusts(3, 0, LINKS), 5_000)
    }
    assert len(seen) == len(TOXICS) * len(LINKS) * 2
    assert set(TOXICS) == set(KNOWN) - {"slow_close"}


def test_orders_come_in_time_with_a_key_each() -> None:
    """Arrivals ascend at the rate that was asked for, and no two customers share a key."""
    some = list(islice(orders(5, 20.0), 4_000))
    assert [each.at_s for each in some] == sorted(each.at_s for each in some)
    assert some[-1].at_s == pytest.approx(4_000 / 20.0, rel=0.05)
    assert len({each.wish.key for each in some}) == len(some)
    assert {each.wish.event_id for each in some} == set(capacities())


def test_some_customers_are_declined_hang_up_ask_twice_and_ask_again() -> None:
    """Each habit is there, and none is everybody's."""
    some = list(islice(orders(5, 20.0), 2_000))
    habits: dict[str, int] = {
        "declined": sum(each.wish.user_id.startswith("declined-") for each in some),
        "hang up": sum(each.patience_s < 1 for each in some),
        "twin": sum(each.twin for each in some),
        "ask again": sum(bool(each.pauses_s) for each in some),
        "look back": sum(each.looks_back for each in some),
    }
    assert all(20 < count < 1_900 for count in habits.values()), habits


def test_only_the_lane_that_aims_kills_reservations(shop: TestbedSpec) -> None:
    """Two lanes that kill one service would start it twice."""
    others = [service.name for service in shop.services if service.name != AIMED_AT]
    assert {each.service for each in islice(strikes(1, others), 300)} == set(others)
    assert {each.service for each in islice(strikes(1, [AIMED_AT]), 50)} == {AIMED_AT}
