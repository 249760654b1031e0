"""Logs each 5xx response, so that it can be found by its trace id; limited, because failures come in bursts.

429 is not logged: rejecting a request must cost next to nothing, and only the gateway does it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from services.kit.failures.problem import Problem

LINES_A_SECOND_MAX = 100
"""60 requests/s that all fail are all logged; a line takes some 50 us and 400 bytes."""

_LOG = logging.getLogger(__name__)


class FailureLog:
    """Writes at most `LINES_A_SECOND_MAX` lines in each second; the next line says how many were left out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._second = 0
        self._written = 0
        self._left_out = 0

    def record(self, problem: Problem, origin: str) -> None:
        """Log a failed response with the current span's ids; a 500 of our own has its traceback in the log already."""
        if problem.status <= 500 or not self._has_room():
            return
        fields: dict[str, object] = {
            "status": problem.status,
            "mechanism": problem.mechanism.value,
            "origin": problem.origin or origin,
            "link": problem.link,
            "reservation_id": problem.reservation_id,
        }
        if self._left_out:
            fields["left_out"] = self._left_out
            self._left_out = 0
        _LOG.warning("answered %d %s", problem.status, problem.mechanism, extra={"fields": fields})

    def _has_room(self) -> bool:
        second = int(self._clock())
        if second != self._second:
            self._second, self._written = second, 0
        if self._written >= LINES_A_SECOND_MAX:
            self._left_out += 1
            return False
        self._written += 1
        return True
