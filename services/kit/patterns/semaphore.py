"""Semaphore: a limit on the requests in flight; the next one is rejected at once, never queued.

By Little's law a stall of 3 s at 60 requests per second needs 180 slots: 64 are full after one second.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from services.kit.failures.problem import Mechanism, Problem
from services.kit.policy.sections import SemaphorePolicy
from services.kit.telemetry.events import Emit, RequestRejected


class Semaphore:
    """Counts the requests in flight of one service. `policy` None: the pattern is off, nothing is rejected."""

    def __init__(self, policy: SemaphorePolicy | None, emit: Emit) -> None:
        self._limit = None if policy is None else policy.limit
        self._emit = emit
        self.in_flight = 0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one slot; raises `Problem` 429 `semaphore_full` at once when none is free."""
        if self._limit is not None and self.in_flight >= self._limit:
            self._emit(RequestRejected(Mechanism.SEMAPHORE_FULL))
            detail = f"{self._limit} requests are in flight already; nothing was stored. Repeat after Retry-After."
            raise Problem(Mechanism.SEMAPHORE_FULL, detail, retry_after_s=1)
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
