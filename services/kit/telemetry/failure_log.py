"""Says each answer of 5xx in the log, to be found there by its trace id; bounded, since failures come in crowds.

429 is not among them: it is there to cost nothing, and the gateway decides it alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from services.kit.failures.problem import Problem

LINES_A_SECOND_MAX = 100
"""60 requests/s that all fail are told one by one; a line takes some 50 us and 400 bytes."""

_LOG = logging.getLogger(__name__)


class FailureLog:
    """At most ``LINES_A_SECOND_MAX`` lines in each second; how many were left out is said in the next line."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._second = 0
        self._said = 0
        self._left_out = 0

    def tell(self, problem: Problem, origin: str) -> None:
        """Log a failure that is answered, in the span that is current; an own 500 has its traceback there already."""
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
            self._second, self._said = second, 0
        if self._said >= LINES_A_SECOND_MAX:
            self._left_out += 1
            return False
        self._said += 1
        return True
