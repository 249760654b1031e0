"""Bulkhead: a limit on the calls to one callee in flight, so that a slow one cannot take every slot of its caller."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.kit.failures.failed import CallFailed, caller_of
from services.kit.failures.problem import Mechanism
from services.kit.policy.sections import BulkheadPolicy
from services.kit.telemetry.events import CallRejected, Emit

T = TypeVar("T")


class Bulkhead:
    """The slots of one link. `policy` None: the pattern is off, every call goes through."""

    def __init__(self, link: str, policy: BulkheadPolicy | None, emit: Emit) -> None:
        self._link = link
        self._limit = None if policy is None else policy.limit
        self._emit = emit
        self.in_flight = 0

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make the call in one slot; raises `CallFailed(bulkhead_full)`, definite, when none is free."""
        if self._limit is not None and self.in_flight >= self._limit:
            self._emit(CallRejected(self._link, Mechanism.BULKHEAD_FULL))
            raise CallFailed(
                Mechanism.BULKHEAD_FULL,
                definite=True,
                link=self._link,
                origin=caller_of(self._link),
            )
        self.in_flight += 1
        try:
            return await attempt()
        finally:
            self.in_flight -= 1
