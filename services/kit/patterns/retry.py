"""Retry: make a failed call again, but only where that is safe, rarely, and while there is time.

tenacity runs the loop; the rules are ours: the mechanisms that may be repeated, full jitter, a stop before the
deadline instead of after it, a budget. The pause is the backoff's (`fixed`, `exponential` or
`exponential_full_jitter`) or, when that is longer, what the callee asked for in `Retry-After`.

The budget is a bucket of 10 retries, refilled by `budget` (say 0.1) for each first attempt: when everything fails,
retries add 10 % to the load and no more. A retry that the budget refuses leaves the failure as it is and emits
`retry_budget_exhausted`. A call that the breaker refused is never repeated: no policy may list `breaker_open`.

A repeated call is indefinite as soon as one of its attempts was: the last failure says nothing about an earlier
attempt, which may still be carried out.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState

from services.kit.failures.failed import CallFailed, Failed
from services.kit.failures.problem import Mechanism
from services.kit.patterns.deadline import Deadline
from services.kit.policy.sections import Backoff, FixedBackoff, FullJitterBackoff, RetryPolicy
from services.kit.telemetry.events import CallRejected, Emit, RetryScheduled

T = TypeVar("T")
BURST_RETRIES = 10.0


def backoff_s(policy: Backoff, attempt: int, draw: Callable[[], float]) -> float:
    """Return the pause after failed attempt number `attempt`; `draw` gives a number in [0, 1).

    "Full jitter" is from Marc Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015).
    """
    longest_s = longest_pause_s(policy, attempt)
    return longest_s * draw() if isinstance(policy, FullJitterBackoff) else longest_s


def longest_pause_s(policy: Backoff, attempt: int) -> float:
    """Return the longest pause that may follow failed attempt number `attempt`."""
    if isinstance(policy, FixedBackoff):
        return policy.pause_ms / 1000
    return float(min(policy.max_ms, policy.first_ms * 2 ** (attempt - 1)) / 1000)


class Retry:
    """The retries of one link. `policy` None: the pattern is off, one attempt is made."""

    def __init__(
        self,
        link: str,
        policy: RetryPolicy | None,
        emit: Emit,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._link = link
        self._policy = policy
        self._emit = emit
        self._sleep = sleep
        self._draw = draw
        self._tokens = BURST_RETRIES

    async def run(self, attempt: Callable[[int], Awaitable[T]], deadline: Deadline) -> T:
        """Call `attempt(1)`, then `attempt(2)`, ...; raises the last `Failed` when no attempt succeeds."""
        if self._policy is None or self._policy.attempts == 1:
            return await attempt(1)
        return await self._run(attempt, deadline, self._policy)

    async def _run(
        self, attempt: Callable[[int], Awaitable[T]], deadline: Deadline, policy: RetryPolicy
    ) -> T:
        if policy.budget is not None:
            self._tokens = min(BURST_RETRIES, self._tokens + policy.budget)
        loop = AsyncRetrying(
            sleep=self._sleep,
            wait=lambda state: self._pause_s(state, policy),
            retry=lambda state: _repeatable(state, policy),
            stop=lambda state: self._must_stop(state, deadline, policy),
            before_sleep=self._report,
            reraise=True,
        )
        doubtful = False
        async for round_ in loop:
            with round_:
                try:
                    return await attempt(round_.retry_state.attempt_number)
                except Failed as failed:
                    doubtful = doubtful or not failed.definite
                    failed.definite = not doubtful
                    raise
        raise AssertionError  # pragma: no cover - tenacity returns, or raises the last failure

    def _pause_s(self, state: RetryCallState, policy: RetryPolicy) -> float:
        own_s = backoff_s(policy.backoff, state.attempt_number, self._draw)
        failure = _failure(state)
        asked_s = failure.retry_after_s if isinstance(failure, CallFailed) else None
        return max(own_s, asked_s or 0.0)

    def _must_stop(self, state: RetryCallState, deadline: Deadline, policy: RetryPolicy) -> bool:
        if state.attempt_number >= policy.attempts:
            return True
        if deadline.attempt(None).timeout_s <= state.upcoming_sleep:
            return True
        if policy.budget is None:
            return False
        if self._tokens < 1:
            self._emit(CallRejected(self._link, Mechanism.RETRY_BUDGET_EXHAUSTED))
            return True
        self._tokens -= 1
        return False

    def _report(self, state: RetryCallState) -> None:
        failure = _failure(state)
        assert failure is not None  # noqa: S101 - tenacity sleeps only after a failure that we repeat
        self._emit(
            RetryScheduled(
                self._link, state.attempt_number, state.upcoming_sleep, failure.mechanism
            )
        )


def _failure(state: RetryCallState) -> Failed | None:
    error = state.outcome.exception() if state.outcome is not None else None
    return error if isinstance(error, Failed) else None


def _repeatable(state: RetryCallState, policy: RetryPolicy) -> bool:
    failure = _failure(state)
    return failure is not None and failure.mechanism in policy.on
