"""The sequence of requests of each profile."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from load_plans import plan

from aguante.load_protocol.rates import Shape
from aguante.load_protocol.records import LoadPlan
from loadtests.profiles import PROFILES, intents

SHAPES = {
    "ramp": Shape(to_rps=80),
    "step": Shape(to_rps=80, steps=3),
    "spike": Shape(to_rps=80, at_s=0.5, for_s=0.5),
    "race": Shape(racers=10),
}


def shaped(profile: str, **changed: object) -> LoadPlan:
    shape = SHAPES.get(profile, Shape())
    return plan(profile=profile, rate_rps=50, duration_s=2, shape=shape, **changed)


@pytest.mark.parametrize("profile", list(PROFILES))
def test_a_profile_numbers_every_arrival(profile: str) -> None:
    """One intent per arrival, numbered from 0 in order of intended start."""
    found = list(intents(shaped(profile)))
    assert [intent.seq for intent in found] == list(range(len(found)))
    assert [intent.at_s for intent in found] == sorted(intent.at_s for intent in found)
    assert len(found) == {"ramp": 130, "step": 130, "spike": 115}.get(profile, 100)


@pytest.mark.parametrize("profile", list(PROFILES))
def test_the_same_plan_gives_the_same_intents(profile: str) -> None:
    """A run can be repeated exactly."""
    one = shaped(profile, arrivals="poisson")
    assert list(intents(one)) == list(intents(one))


@pytest.mark.parametrize("arrivals", ["fixed", "poisson"])
@pytest.mark.parametrize("profile", list(PROFILES))
def test_workers_share_one_schedule_without_a_gap_or_an_overlap(
    profile: str, arrivals: str
) -> None:
    """Three workers together have exactly the intents of one; each has a third, give or take one."""
    shares = [
        list(intents(shaped(profile, arrivals=arrivals, workers=3, worker=n))) for n in range(3)
    ]
    together = sorted((each for share in shares for each in share), key=lambda each: each.seq)
    assert together == list(intents(shaped(profile, arrivals=arrivals)))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_each_race_uses_one_event_and_the_next_race_the_next_event() -> None:
    """Ten racers each, at the same instant, with different users."""
    found = list(intents(shaped("race", mix={"reserve": 1.0})))
    races = [found[at : at + 10] for at in range(0, len(found), 10)]
    assert [race[0].choice.event_id for race in races[:3]] == ["event-a", "event-b", "event-a"]
    for race in races:
        assert len({(each.at_s, each.choice.event_id) for each in race}) == 1
        assert len({each.choice.user_id for each in race}) == 10


def test_another_seed_gives_other_choices_in_mixed() -> None:
    """The seed determines choices as well as times."""
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
    """After any number of arrivals each count differs from its share by less than the number of operations."""
    total = sum(weights)
    mix = {f"operation-{n}": weight / total for n, weight in enumerate(weights)}
    given_: Counter[str] = Counter()
    for n, intent in enumerate(
        intents(plan(profile="steady", mix=mix, rate_rps=100, duration_s=2)), start=1
    ):
        given_[intent.choice.operation] += 1
        assert all(abs(given_[name] - share * n) < len(mix) for name, share in mix.items())


def test_steady_takes_events_in_turn() -> None:
    """Events alternate, with one seat each."""
    found = [i.choice for i in intents(plan(profile="steady", rate_rps=4, duration_s=1))]
    assert [choice.event_id for choice in found] == ["event-a", "event-b"] * 2
    assert {choice.quantity for choice in found} == {1}
