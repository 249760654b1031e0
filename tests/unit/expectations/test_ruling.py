"""Three-valued logic, and words for values and windows."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aguante.expectations.goodput import Goodput
from aguante.expectations.ruling import (
    Outcome,
    all_of,
    bound_percent,
    milliseconds,
    percent,
    within,
)

OUTCOMES = st.lists(st.sampled_from(get_args(Outcome)), max_size=8)


@given(OUTCOMES)
def test_one_unmet_decides_whatever_else_is_unknown(outcomes: list[Outcome]) -> None:
    """``unmet`` needs no further evidence."""
    assert all_of([*outcomes, "unmet"]) == "unmet"


@given(OUTCOMES)
def test_all_must_be_met(outcomes: list[Outcome]) -> None:
    """There is at least one, and none is unknown or unmet."""
    assert (all_of(outcomes) == "met") == (bool(outcomes) and set(outcomes) == {"met"})


@given(OUTCOMES, st.randoms())
def test_order_and_repetition_do_not_matter(outcomes: list[Outcome], random: object) -> None:
    """Conjunction is commutative and idempotent."""
    assert all_of(outcomes) == all_of(list(reversed(outcomes))) == all_of(outcomes * 2)


@given(OUTCOMES, OUTCOMES)
def test_more_evidence_never_turns_unmet_or_unknown_into_met(
    some: list[Outcome], more: list[Outcome]
) -> None:
    """Adding outcomes can only lower the result."""
    order = {"met": 2, "unknown": 1, "unmet": 0}
    if some:
        assert order[all_of([*some, *more])] <= order[all_of(some)]


def test_no_outcomes_are_unknown() -> None:
    """No data is never met."""
    assert all_of([]) == "unknown"


@pytest.mark.parametrize(
    ("value", "low", "high", "outcome"),
    [
        (0.97, 0.97, None, "met"),
        (0.9699, 0.97, None, "unmet"),
        (0.5, None, 0.5, "met"),
        (0.51, None, 0.5, "unmet"),
        (0.5, None, None, "met"),
    ],
)
def test_bounds_are_inclusive(
    value: float, low: float | None, high: float | None, outcome: Outcome
) -> None:
    """A value on the bound is within it."""
    assert within(value, low, high) == outcome


def test_numbers_have_their_unit() -> None:
    """Observed values have one decimal, bounds are as written."""
    assert (percent(0.0612), bound_percent(0.02)) == ("6.1 %", "2 %")
    assert (milliseconds(38.2), milliseconds(3.14)) == ("38 ms", "3.1 ms")


def test_the_words_of_a_window_have_operation_and_times() -> None:
    """Together they are one phrase."""
    window = {"phase": "fault", "operation": "read_event", "after_s": 6.5, "before_s": 9}
    asked = Goodput.model_validate({**window, "min_rps": 1})
    assert asked.where() == "of read_event in fault after 6.5 s before 9 s"
