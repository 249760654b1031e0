"""The offered rate over time."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aguante.load_protocol.rates import Shape, curve_of, troubles


def test_a_ramp_is_a_line() -> None:
    """From 20 to 60 rps in 10 s: 40 in the middle, nothing after the end; its area is 400."""
    curve = curve_of("ramp", 20, Shape(to_rps=60), 10)
    assert [curve.at(at_s) for at_s in (0, 5, 9.75, 10, -1)] == [20, 40, 59, 0, 0]
    assert curve.arrivals(0, 10) == 400
    assert curve.arrivals(0, 5) == 150


def test_steps_are_level_and_of_equal_length() -> None:
    """Three from 50 to 150: 50, 100, 150, each a third of the time."""
    curve = curve_of("step", 50, Shape(to_rps=150, steps=3), 30)
    assert [curve.at(at_s) for at_s in (0, 9.9, 10, 19.9, 20, 29.9)] == [50, 50, 100, 100, 150, 150]
    assert curve.arrivals(0, 30) == pytest.approx(3000)


def test_steps_can_go_down() -> None:
    """From 150 to 50 rps in two steps."""
    curve = curve_of("step", 150, Shape(to_rps=50, steps=2), 10)
    assert [curve.at(at_s) for at_s in (0, 5)] == [150, 50]


@pytest.mark.parametrize(
    ("at_s", "for_s", "rates"),
    [(4, 2, [10, 90, 10]), (0, 5, [90, 90, 10]), (4, 99, [10, 90, 90]), (20, 5, [10, 10, 10])],
)
def test_a_spike_changes_the_rate_for_its_time(
    at_s: float, for_s: float, rates: list[float]
) -> None:
    """Before, during and after; also when it starts at once or lasts beyond the load."""
    curve = curve_of("spike", 10, Shape(to_rps=90, at_s=at_s, for_s=for_s), 10)
    assert [curve.at(moment) for moment in (3.9, 4.5, 9.9)] == rates


def test_other_profiles_have_a_constant_rate() -> None:
    """Also without an end, and for the profile of another system."""
    curve = curve_of("our-own", 5, Shape(), math.inf)
    assert (curve.at(1e6), curve.arrivals(0, 1e6)) == (5, 5e6)


PROFILES = st.one_of(
    st.tuples(st.just("ramp"), st.builds(Shape, to_rps=st.floats(0.5, 500))),
    st.tuples(
        st.just("step"), st.builds(Shape, to_rps=st.floats(0.5, 500), steps=st.integers(2, 9))
    ),
    st.tuples(
        st.just("spike"),
        st.builds(
            Shape, to_rps=st.floats(0.5, 500), at_s=st.floats(0, 20), for_s=st.floats(0.1, 20)
        ),
    ),
)


@given(PROFILES, st.floats(0.5, 500), st.floats(0.5, 20))
def test_the_nth_arrival_is_due_when_the_area_is_n(
    profile: tuple[str, Shape], rate_rps: float, duration_s: float
) -> None:
    """The inverse of the integral: ascending, within the load, and as many as its area."""
    curve = curve_of(profile[0], rate_rps, profile[1], duration_s)
    times = list(curve.when(float(n) for n in range(100_000)))
    assert abs(len(times) - curve.arrivals(0, duration_s)) <= 1
    assert times == sorted(times)
    assert all(0 <= at_s <= duration_s for at_s in times)
    for n in range(0, len(times), 97):
        assert curve.arrivals(0, times[n]) == pytest.approx(n, abs=1e-6 * max(1, n))


def test_all_parameters_of_a_profile_are_checked_at_once() -> None:
    """Missing, invalid and unknown parameters are all reported."""
    found = list(troubles("step", Shape(to_rps=-5, racers=3), 10))
    assert [(each.word, each.found) for each in found] == [
        ("steps", "nothing"),
        ("to_rps", "-5"),
        ("racers", "racers with profile step"),
    ]
    assert list(troubles("spike", Shape(to_rps=5, at_s=0, for_s=1), math.inf)) == []
