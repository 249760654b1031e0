"""Arrival processes."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aguante.load_protocol.rates import Shape, curve_of
from loadtests import arrivals

RATES = st.floats(min_value=0.5, max_value=500)
DURATIONS = st.floats(min_value=0.1, max_value=10)
SEEDS = st.integers(min_value=0, max_value=2**32)
KINDS = st.sampled_from(["fixed", "poisson"])


def arrival_times(kind: str, rate_rps: float, duration_s: float, seed: int) -> Iterator[float]:
    curve = curve_of("steady", rate_rps, Shape(), duration_s)
    return arrivals.arrival_times(kind, curve, seed)


@given(RATES, DURATIONS, SEEDS)
def test_fixed_arrivals_are_as_many_as_the_rate_says(
    rate_rps: float, duration_s: float, seed: int
) -> None:
    """rate x duration of them, give or take one at the edge."""
    count = len(list(arrival_times("fixed", rate_rps, duration_s, seed)))
    assert abs(count - rate_rps * duration_s) <= 1


@given(RATES, DURATIONS)
def test_fixed_arrivals_are_equally_spaced_from_zero(rate_rps: float, duration_s: float) -> None:
    """The first at 0, each one period after the previous, without drift."""
    times = list(arrival_times("fixed", rate_rps, duration_s, 0))
    assert times[0] == 0
    for n, at_s in enumerate(times):
        assert at_s == pytest.approx(n / rate_rps, abs=1e-9)


@given(KINDS, RATES, DURATIONS, SEEDS)
def test_arrivals_ascend_within_the_duration(
    kind: str, rate_rps: float, duration_s: float, seed: int
) -> None:
    """No arrival before 0, at or after the end, or before the one before it."""
    times = list(arrival_times(kind, rate_rps, duration_s, seed))
    assert all(0 <= at_s < duration_s for at_s in times)
    assert all(a <= b for a, b in itertools.pairwise(times))


@given(SEEDS)
def test_the_same_seed_gives_the_same_poisson_arrivals(seed: int) -> None:
    """The same seed gives the same arrivals, another seed different ones."""
    times = list(arrival_times("poisson", 50, 2, seed))
    assert times == list(arrival_times("poisson", 50, 2, seed))
    assert times != list(arrival_times("poisson", 50, 2, seed + 1))


def test_poisson_arrivals_have_poisson_counts() -> None:
    """Counts per second over 2000 s: mean the rate, variance the mean (index of dispersion 1)."""
    times = arrival_times("poisson", 20, 2000, seed=5)
    counts = [0] * 2000
    for at_s in times:
        counts[int(at_s)] += 1
    mean = sum(counts) / len(counts)
    variance = sum((count - mean) ** 2 for count in counts) / (len(counts) - 1)
    # four standard errors: sqrt(rate / n) of the mean, sqrt(2 / n) of the dispersion index
    assert mean == pytest.approx(20, abs=4 * math.sqrt(20 / 2000))
    assert variance / mean == pytest.approx(1, abs=4 * math.sqrt(2 / 2000))


def test_arrivals_without_an_end_are_lazy() -> None:
    """An endless process yields its first arrivals."""
    assert list(itertools.islice(arrival_times("fixed", 10, math.inf, 0), 3)) == [0, 0.1, 0.2]


def test_an_unknown_process_is_refused_and_the_known_ones_are_named() -> None:
    """The message lists the valid names."""
    with pytest.raises(ValueError, match="unknown arrival process 'burst'; one of fixed, poisson"):
        arrival_times("burst", 1, 1, 0)


@given(KINDS, RATES, SEEDS, st.integers(2, 60))
def test_racers_start_at_the_same_instant_and_keep_the_rate(
    kind: str, rate_rps: float, seed: int, racers: int
) -> None:
    """Each instant has ``racers`` arrivals; races are ``racers / rate`` apart on average."""
    curve = curve_of("race", rate_rps, Shape(racers=racers), 19.5 * racers / rate_rps)
    times = list(arrivals.arrival_times(kind, curve, seed, racers))
    assert set(Counter(times).values()) <= {racers}
    if kind == "fixed":
        assert sorted(set(times)) == pytest.approx([n * racers / rate_rps for n in range(20)])


def test_the_arrivals_of_a_ramp_follow_its_area() -> None:
    """From 10 to 30 rps in 10 s: 200 in all, 75 in the first half, more each second."""
    curve = curve_of("ramp", 10, Shape(to_rps=30), 10)
    times = list(arrivals.arrival_times("fixed", curve, 0))
    assert len(times) == 200
    assert sum(at_s < 5 for at_s in times) == 75
    counts = [Counter(int(at_s) for at_s in times)[second] for second in range(10)]
    assert counts == sorted(counts)
