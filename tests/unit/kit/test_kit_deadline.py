import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit_fakes import FakeClock

from services.kit.failures.problem import Mechanism
from services.kit.patterns.deadline import Deadline
from services.kit.policy.sections import DeadlinePolicy

POLICY = DeadlinePolicy(total_s=5, margin_s=0.2)


def test_a_short_step_keeps_its_own_timeout() -> None:
    """While there is time, the step's timeout is the limit, and running out of it is a timeout."""
    limit = Deadline.start(POLICY, FakeClock()).attempt(3)
    assert (limit.timeout_s, limit.mechanism) == (3, Mechanism.TIMEOUT)


def test_a_step_that_the_deadline_cuts_short_is_deadline() -> None:
    """With 2 s left, a step of 3 s gets 1.8 s, and running out of it says nothing about the callee."""
    clock = FakeClock()
    deadline = Deadline.start(POLICY, clock)
    clock.now_s += 3
    limit = deadline.attempt(3)
    assert limit.timeout_s == pytest.approx(1.8)
    assert limit.mechanism is Mechanism.DEADLINE


def test_nothing_is_left_once_the_margin_is_reached() -> None:
    """Inside the margin an attempt has no time at all."""
    clock = FakeClock()
    deadline = Deadline.start(POLICY, clock)
    clock.now_s += 4.9
    assert deadline.attempt(3).timeout_s <= 0


def test_a_callee_ends_before_its_caller_stops_waiting() -> None:
    """The receiver counts the caller's margin off: its last attempt ends a margin before the caller's."""
    clock = FakeClock()
    caller = Deadline.start(POLICY, clock)
    header_ms = caller.header_ms()
    assert header_ms == 5000
    callee = Deadline.received(header_ms, POLICY, clock)
    assert caller.attempt(None).timeout_s == pytest.approx(4.8)
    assert callee.attempt(None).timeout_s == pytest.approx(4.6)


def test_off_is_off() -> None:
    """Without the pattern there is no limit and no header, also for a budget that a caller sent."""
    for deadline in (Deadline.start(None), Deadline.received(1, None), Deadline.unlimited()):
        assert deadline.header_ms() is None
        assert deadline.attempt(None).timeout_s == math.inf
        assert deadline.attempt(2).timeout_s == 2


@given(
    total_s=st.floats(0.01, 60), passed_s=st.floats(0, 120), step_s=st.none() | st.floats(0.01, 60)
)
def test_no_attempt_outlasts_step_or_deadline(
    total_s: float, passed_s: float, step_s: float | None
) -> None:
    """An attempt is never longer than its step, nor than what the deadline leaves."""
    clock = FakeClock()
    deadline = Deadline.start(DeadlinePolicy(total_s=total_s, margin_s=0.2), clock)
    clock.now_s += passed_s
    limit_s = deadline.attempt(step_s).timeout_s
    assert limit_s <= (math.inf if step_s is None else step_s)
    assert limit_s <= deadline.remaining_s()
    header_ms = deadline.header_ms()
    assert header_ms is not None
    assert header_ms >= 0
