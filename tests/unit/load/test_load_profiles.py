"""What the profiles ask for."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from load_plans import plan

from loadtests.profiles import PROFILES, intents


@pytest.mark.parametrize("profile", list(PROFILES))
def test_a_profile_numbers_every_arrival(profile: str) -> None:
    """One intent per arrival, numbered from 0 in order of intended start."""
    found = list(intents(plan(profile=profile, rate_rps=50, duration_s=2)))
    assert [intent.seq for intent in found] == list(range(100))
    assert [intent.at_s for intent in found] == [n / 50 for n in range(100)]


@pytest.mark.parametrize("profile", list(PROFILES))
def test_the_same_plan_gives_the_same_intents(profile: str) -> None:
    """A run can be repeated exactly."""
    one = plan(profile=profile, arrivals="poisson")
    assert list(intents(one)) == list(intents(one))


def test_another_seed_asks_for_other_things_in_mixed() -> None:
    """The seed reaches the choices, not only the times."""
    first, second = (
        [i.choice for i in intents(plan(profile="mixed", seed=seed))] for seed in (1, 2)
    )
    assert first != second


def test_mixed_keeps_its_shares_on_average_and_uses_every_event() -> None:
    """6000 draws: shares within four standard errors, all events, one to four seats."""
    found = [intent.choice for intent in intents(plan(rate_rps=600))]
    share = sum(choice.operation == "reserve" for choice in found) / len(found)
    assert share == pytest.approx(0.75, abs=4 * (0.75 * 0.25 / len(found)) ** 0.5)
    assert {choice.event_id for choice in found} == {"event-a", "event-b"}
    assert {choice.quantity for choice in found} == {1, 2, 3, 4}


@given(st.lists(st.integers(min_value=1, max_value=20), min_size=1, max_size=4))
def test_steady_keeps_its_shares_at_every_moment(weights: list[int]) -> None:
    """After any number of arrivals each operation is less than one request per operation off its share."""
    total = sum(weights)
    mix = {f"operation-{n}": weight / total for n, weight in enumerate(weights)}
    given_: Counter[str] = Counter()
    for n, intent in enumerate(
        intents(plan(profile="steady", mix=mix, rate_rps=100, duration_s=2)), start=1
    ):
        given_[intent.choice.operation] += 1
        assert all(abs(given_[name] - share * n) < len(mix) for name, share in mix.items())


def test_steady_takes_events_in_turn() -> None:
    """Events alternate, one seat each: nothing is drawn."""
    found = [i.choice for i in intents(plan(profile="steady", rate_rps=4, duration_s=1))]
    assert [choice.event_id for choice in found] == ["event-a", "event-b"] * 2
    assert {choice.quantity for choice in found} == {1}
