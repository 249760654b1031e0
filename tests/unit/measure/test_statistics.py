"""Worked examples and properties of every formula."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aguante.core.statistics import (
    newcombe,
    rank,
    rank_interval,
    recovered_after,
    samples_needed,
    wilson,
)
from aguante.expectations.percentiles import percentile

SHARES = st.sampled_from([0.5, 0.9, 0.95, 0.99])


def test_wilson_of_8_in_10() -> None:
    """The textbook example: 8 of 10 gives 0.490 to 0.943."""
    interval = wilson(8, 10)
    assert interval.low == pytest.approx(0.4902, abs=5e-5)
    assert interval.high == pytest.approx(0.9433, abs=5e-5)


def test_newcombe_of_the_published_example() -> None:
    """56 of 70 less 48 of 80: 0.0524 to 0.3339 (Newcombe 1998, table II, column a, method 10)."""
    found = newcombe((70, 56), (80, 48))
    assert found
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)


def test_newcombe_of_nothing_is_unknown() -> None:
    """A share of no trials is no number."""
    assert newcombe((0, 0), (80, 48)) is None
    assert newcombe((70, 56), (0, 0)) is None


def test_wilson_of_none_in_10() -> None:
    """Without a success the interval still reaches up: 0 to 0.278."""
    interval = wilson(0, 10)
    assert interval.low == 0.0
    assert interval.high == pytest.approx(0.2775, abs=5e-5)


@given(st.integers(1, 100_000), st.data())
def test_wilson_covers_the_share_and_stays_between_0_and_1(n: int, data: st.DataObject) -> None:
    """The observed share lies inside, whatever the counts."""
    hits = data.draw(st.integers(0, n))
    interval = wilson(hits, n)
    assert -1e-12 <= interval.low <= hits / n + 1e-12
    assert hits / n - 1e-12 <= interval.high <= 1 + 1e-12


@given(st.integers(1, 10_000), st.data())
def test_wilson_is_the_same_seen_from_the_failures(n: int, data: st.DataObject) -> None:
    """Successes and failures mirror each other."""
    hits = data.draw(st.integers(0, n))
    one, other = wilson(hits, n), wilson(n - hits, n)
    assert one.low == pytest.approx(1 - other.high, abs=1e-9)


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(hits: int, n: int) -> None:
    """Nothing can be said of counts that cannot be."""
    with pytest.raises(ValueError, match="wilson needs"):
        wilson(hits, n)


@pytest.mark.parametrize(("p", "needed"), [(0.5, 20), (0.9, 100), (0.95, 200), (0.99, 1000)])
def test_a_percentile_takes_ten_samples_beyond_it(p: float, needed: int) -> None:
    """n >= 10/(1-p), without a rounding error of one."""
    assert samples_needed(p) == needed


@pytest.mark.parametrize(
    ("n", "p", "expected"), [(20, 0.5, 10), (21, 0.5, 11), (200, 0.95, 190), (1000, 0.99, 990)]
)
def test_the_rank_is_the_inverse_of_the_empirical_distribution(
    n: int, p: float, expected: int
) -> None:
    """ceil(n p), without a rounding error of one."""
    assert rank(n, p) == expected


def test_ranks_around_the_median_of_20() -> None:
    """The tables' example: the 6th and 15th of 20 values cover the median with 95 %."""
    assert rank_interval(20, 0.5) == (6, 15)


def test_ranks_around_the_median_of_100() -> None:
    """The tables' example: the 40th and 61st of 100 values."""
    assert rank_interval(100, 0.5) == (40, 61)


def test_too_few_samples_have_no_interval() -> None:
    """Of ten values none bounds the 95th percentile from above."""
    assert rank_interval(10, 0.95) is None


@given(st.integers(20, 3000), SHARES)
def test_the_ranks_cover_the_quantile_as_promised(n: int, p: float) -> None:
    """The exact binomial chance between the two ranks is at least 95 %, whatever the distribution."""
    ranks = rank_interval(n, p)
    if ranks is None:
        return
    low, high = ranks
    log = math.lgamma
    inside = sum(
        math.exp(
            log(n + 1) - log(k + 1) - log(n - k + 1) + k * math.log(p) + (n - k) * math.log(1 - p)
        )
        for k in range(low, high)
    )
    assert inside >= 0.95 - 1e-9
    assert low <= rank(n, p) <= high


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=400), SHARES)
def test_a_percentile_is_one_of_the_values_or_nothing(values: list[float], p: float) -> None:
    """No value is invented, and none is given on too few samples."""
    ordered = sorted(values)
    seen = percentile(ordered, p)
    if len(ordered) < samples_needed(p):
        assert seen.value_ms is None
        return
    assert seen.value_ms in ordered
    below = sum(value <= (seen.value_ms or 0) for value in ordered)
    assert below >= len(ordered) * p - 1e-9


def test_the_95th_percentile_of_200_values() -> None:
    """Of 1..200 ms it is the 190th, between the 184th and 197th (P(B <= 183) = 0.024, P(B <= 196) = 0.991)."""
    seen = percentile([float(n) for n in range(1, 201)], 0.95)
    assert seen.value_ms == 190
    assert (seen.low_ms, seen.high_ms) == (184, 197)


@pytest.mark.parametrize(
    ("shares", "after"),
    [
        ([1.0, 1.0, 1.0], 0),
        ([0.2, 0.9, 0.95, 0.96, 1.0], 2),
        ([0.2, 1.0, 1.0, 0.4, 1.0, 1.0, 1.0], 4),
        ([0.2, 1.0, 1.0], None),
        ([], None),
    ],
)
def test_recovery_takes_three_good_seconds_in_a_row(shares: list[float], after: int | None) -> None:
    """The time is the start of the first of the three; 95 % of the baseline is good enough."""
    assert recovered_after(shares, 1.0) == after


@given(st.lists(st.floats(0, 1), max_size=40), st.floats(0.01, 1))
def test_recovery_is_the_first_such_second(shares: list[float], baseline: float) -> None:
    """From the found second on three are good, and at no earlier one."""
    after = recovered_after(shares, baseline)
    starts = [
        at
        for at in range(len(shares) - 2)
        if all(share >= 0.95 * baseline for share in shares[at : at + 3])
    ]
    assert after == (starts[0] if starts else None)
