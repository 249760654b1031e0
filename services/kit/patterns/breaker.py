"""Circuit breaker: stop calling after enough consecutive failures, and try again with one probe a while later.

pybreaker keeps the count and the state. The gate is ours, because pybreaker alone is wrong among coroutines: its
`call` never sees a coroutine's failure, half-open admits every concurrent caller, calls that were admitted before
it opened push the reset back, an excluded exception closes it, and a cancellation counts as a failure. So a call is
*admitted* by our gate, awaited outside pybreaker, and then *recorded* by pybreaker.

* Half-open admits one probe at a time.
* Each change of state begins a generation; an outcome of an earlier generation changes nothing.
* Counted as a failure: no response on this link (refused, disconnected, reset, a full timeout), a broken response,
  and a 5xx whose origin is the callee itself. Any other response is a success, including 402 and 409.
* Not recorded: a cancelled call, one cut short by the deadline, one refused by an inner layer (bulkhead), and a 5xx
  that the callee only passes on. Such a call frees the probe's slot.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NoReturn, TypeVar

from pybreaker import STATE_CLOSED, STATE_HALF_OPEN, STATE_OPEN, CircuitBreaker

from services.kit.failures.failed import CallFailed, callee_of, caller_of
from services.kit.failures.problem import Mechanism
from services.kit.policy.sections import BreakerPolicy
from services.kit.telemetry.events import (
    BreakerChanged,
    BreakerState,
    CallRejected,
    Emit,
    ProbeAdmitted,
)

T = TypeVar("T")

_STATES = {
    STATE_CLOSED: BreakerState.CLOSED,
    STATE_OPEN: BreakerState.OPEN,
    STATE_HALF_OPEN: BreakerState.HALF_OPEN,
}
_NO_RESPONSE = frozenset(
    {
        Mechanism.CONNECT_REFUSED,
        Mechanism.DISCONNECTED,
        Mechanism.CONNECTION_RESET,
        Mechanism.TIMEOUT,
        Mechanism.BAD_ANSWER,
    }
)


class _CountedError(Exception):
    """Signals a failed call to pybreaker; it never leaves this module."""


class Breaker:
    """The breaker of one link. `policy` None: the pattern is off, every call goes through."""

    def __init__(
        self,
        link: str,
        policy: BreakerPolicy | None,
        emit: Emit,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.link = link
        self._policy = policy
        self._emit = emit
        self._clock = clock
        self._generation = 0
        self._probing = False
        self._opened_at_s = 0.0
        failures = 1 if policy is None else policy.failures
        self._inner = CircuitBreaker(fail_max=failures, throw_new_error_on_trip=False, name=link)

    @property
    def state(self) -> BreakerState:
        """Return the state as the last admission or outcome left it."""
        return _STATES[self._inner.current_state]

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make the call if the breaker admits it; raises `CallFailed(breaker_open)`, definite, if not."""
        if self._policy is None:
            return await attempt()
        generation = self._admit(self._policy)
        try:
            response = await attempt()
        except CallFailed as failure:
            self._record(generation, self._is_success(failure))
            raise
        except BaseException:  # cancelled, or a defect of our own: it says nothing about the callee
            self._record(generation, None)
            raise
        self._record(generation, success=True)
        return response

    def _admit(self, policy: BreakerPolicy) -> int:
        if self.state is BreakerState.OPEN and self._clock() - self._opened_at_s >= policy.reset_s:
            self._change(self._inner.half_open)
        if self.state is BreakerState.OPEN or (
            self.state is BreakerState.HALF_OPEN and self._probing
        ):
            self._refuse(policy)
        if self.state is BreakerState.HALF_OPEN:
            self._probing = True
            self._emit(ProbeAdmitted(self.link))
        return self._generation

    def _refuse(self, policy: BreakerPolicy) -> NoReturn:
        self._emit(CallRejected(self.link, Mechanism.BREAKER_OPEN))
        left_s = self._opened_at_s + policy.reset_s - self._clock()
        raise CallFailed(
            Mechanism.BREAKER_OPEN,
            definite=True,
            link=self.link,
            origin=caller_of(self.link),
            # half-open: the probe may end at any moment
            retry_after_s=left_s if left_s > 0 else None,
        )

    def _record(self, generation: int, success: bool | None) -> None:
        if generation != self._generation:
            return
        self._probing = False
        if success is not None:
            self._change(self._count_success if success else self._count_failure)

    def _count_success(self) -> None:
        self._inner.call(lambda: None)

    def _count_failure(self) -> None:
        with suppress(_CountedError):
            self._inner.call(_fail)

    def _change(self, act: Callable[[], object]) -> None:
        before = self.state
        act()
        if self.state is before:
            return
        self._generation += 1
        self._probing = False
        if self.state is BreakerState.OPEN:
            self._opened_at_s = self._clock()
        self._emit(BreakerChanged(self.link, before, self.state))

    def _is_success(self, failure: CallFailed) -> bool | None:
        if failure.link == self.link and failure.mechanism in _NO_RESPONSE:
            return False
        if failure.status is None:
            return None
        if failure.status < 500:
            return True
        return False if failure.origin == callee_of(self.link) else None


def _fail() -> NoReturn:
    raise _CountedError
