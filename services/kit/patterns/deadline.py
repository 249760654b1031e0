"""Deadline: the whole request has one budget of time, which is passed on and never renewed.

The caller sends the remaining milliseconds in `X-Deadline-Ms`. An attempt may take min(step timeout, remaining -
margin): the margin is kept for answering our own caller in time. The receiver subtracts the caller's margin from
what it was sent, because the caller stops waiting then. So each hop gives up a margin before the one above it, and
the failure that the client reads names the link that was slow and not the first one.
An attempt that the deadline cut short is `deadline`, not `timeout`: it says nothing about the callee.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from services.kit.failures.problem import Mechanism
from services.kit.policy.sections import DeadlinePolicy

HEADER = "X-Deadline-Ms"
HEADER_MS_MAX = 3_600_000

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class AttemptLimit:
    """How long one attempt may take, and what it is called when that time runs out."""

    timeout_s: float
    mechanism: Mechanism


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on `clock` (seconds, monotonic) after which nobody waits for the response any more."""

    at_s: float
    margin_s: float
    clock: Clock = time.monotonic

    @classmethod
    def start(cls, policy: DeadlinePolicy | None, clock: Clock = time.monotonic) -> Deadline:
        """Start the budget of a new request; it never ends while the pattern is off."""
        if policy is None:
            return cls.unlimited(clock)
        return cls(clock() + policy.total_s, policy.margin_s, clock)

    @classmethod
    def received(
        cls, header_ms: int, policy: DeadlinePolicy | None, clock: Clock = time.monotonic
    ) -> Deadline:
        """Return the deadline for what the caller sent, less the margin that it keeps for itself."""
        if policy is None:
            return cls.unlimited(clock)
        return cls(clock() + header_ms / 1000 - policy.margin_s, policy.margin_s, clock)

    @classmethod
    def unlimited(cls, clock: Clock = time.monotonic) -> Deadline:
        """Return a deadline that never passes, for work that must be done however long it takes."""
        return cls(math.inf, 0.0, clock)

    def remaining_s(self) -> float:
        """Return the seconds left; negative when it has passed, infinite when there is none."""
        return self.at_s - self.clock()

    def header_ms(self) -> int | None:
        """Return the value of `X-Deadline-Ms`, or None when there is no deadline to pass on."""
        remaining_s = self.remaining_s()
        return None if math.isinf(remaining_s) else max(0, int(remaining_s * 1000))

    def attempt(self, step_s: float | None) -> AttemptLimit:
        """Return the limit of one attempt whose step timeout is `step_s` (None: no timeout of its own).

        A limit of 0 or less means that the attempt must not start.
        """
        left_s = self.remaining_s() - self.margin_s
        step_s = math.inf if step_s is None else step_s
        if step_s <= left_s:
            return AttemptLimit(step_s, Mechanism.TIMEOUT)
        return AttemptLimit(left_s, Mechanism.DEADLINE)
