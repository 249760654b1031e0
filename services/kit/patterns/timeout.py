"""Timeout: how long one attempt may take.

An attempt may take min(the step's timeout, what the deadline leaves). The sender enforces the limit inside the
attempt's span, so that the span shows why the attempt ended: `http/client.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.kit.failures.failed import CallFailed, caller_of
from services.kit.failures.problem import Mechanism
from services.kit.patterns.deadline import AttemptLimit, Deadline
from services.kit.telemetry.events import CallRejected, Emit

T = TypeVar("T")


class Timeout:
    """The timeout of one link's attempts. `timeout_s` None: the pattern is off, only the deadline limits them."""

    def __init__(self, link: str, timeout_s: float | None, emit: Emit) -> None:
        self._link = link
        self._timeout_s = timeout_s
        self._emit = emit

    async def run(self, attempt: Callable[[AttemptLimit], Awaitable[T]], deadline: Deadline) -> T:
        """Make the attempt with its limit; raises `CallFailed(deadline)`, definite, when no time is left for it."""
        limit = deadline.attempt(self._timeout_s)
        if limit.timeout_s <= 0:
            self._emit(CallRejected(self._link, Mechanism.DEADLINE))
            raise CallFailed(
                Mechanism.DEADLINE,
                definite=True,
                link=self._link,
                origin=caller_of(self._link),
                detail="no time left to call",
            )
        return await attempt(limit)
