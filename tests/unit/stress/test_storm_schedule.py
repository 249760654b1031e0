"""The plan of a storm depends on its seed alone."""

from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from aguante.faults.toxiproxy import TOXICS as KNOWN
from aguante.testbed.testbed_spec import TestbedSpec
from stress.schedule import AIMED_AT, TOXICS, capacities, kills, orders, toxics

LINKS = ("a-b", "b-c", "c-db")
SEQUENCES: dict[str, Callable[[int], Iterator[object]]] = {
    "orders": lambda seed: orders(seed, 14.0),
    "toxics": lambda seed: toxics(seed, 0, LINKS),
    "kills": lambda seed: kills(seed, ["gateway", "payments"]),
    "aimed kills": lambda seed: kills(seed, [AIMED_AT]),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_seed_repeats_its_plan(name: str) -> None:
    """The same seed gives the same sequence, another seed a different one."""
    make = SEQUENCES[name]
    first, again, other = (list(islice(make(seed), 300)) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_lanes_of_one_seed_differ() -> None:
    """Two lanes do not apply the same toxics at the same times."""
    one, two = (list(islice(toxics(7, lane, LINKS), 20)) for lane in (0, 1))
    assert one != two


def test_every_toxic_is_safe_for_toxiproxy() -> None:
    """No draw can crash the server: each is within the bounds for experiments."""
    for planned in islice(toxics(3, 0, LINKS), 5_000):
        assert planned.fault.problems() == []


def test_every_kind_of_toxic_is_drawn_for_every_link_in_both_directions() -> None:
    """The draw leaves out no row of the table."""
    seen = {
        (planned.fault.toxic, planned.fault.link, planned.fault.stream)
        for planned in islice(toxics(3, 0, LINKS), 5_000)
    }
    assert len(seen) == len(TOXICS) * len(LINKS) * 2
    assert set(TOXICS) == set(KNOWN) - {"slow_close"}


def test_orders_come_in_time_with_a_key_each() -> None:
    """Arrivals ascend at the given rate, and no two customers share a key."""
    some = list(islice(orders(5, 20.0), 4_000))
    assert [each.at_s for each in some] == sorted(each.at_s for each in some)
    assert some[-1].at_s == pytest.approx(4_000 / 20.0, rel=0.05)
    assert len({each.request.key for each in some}) == len(some)
    assert {each.request.event_id for each in some} == set(capacities())


def test_some_customers_are_declined_disconnect_duplicate_and_retry() -> None:
    """Each behaviour occurs, and none in every customer."""
    some = list(islice(orders(5, 20.0), 2_000))
    behaviours: dict[str, int] = {
        "declined": sum(each.request.user_id.startswith("declined-") for each in some),
        "disconnect": sum(each.patience_s < 1 for each in some),
        "duplicate": sum(each.duplicate for each in some),
        "retry": sum(bool(each.pauses_s) for each in some),
        "read back": sum(each.reads_back for each in some),
    }
    assert all(20 < count < 1_900 for count in behaviours.values()), behaviours


def test_only_the_lane_that_aims_kills_reservations(shop: TestbedSpec) -> None:
    """Two lanes that killed the same service would start it twice."""
    others = [service.name for service in shop.services if service.name != AIMED_AT]
    assert {each.service for each in islice(kills(1, others), 300)} == set(others)
    assert {each.service for each in islice(kills(1, [AIMED_AT]), 50)} == {AIMED_AT}
