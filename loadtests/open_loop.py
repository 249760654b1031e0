"""The open loop: one scheduler starts a greenlet at each intended arrival, whether or not earlier requests ended.

With Locust's own wait times (including ``constant_throughput``) a user waits for a response before its next
request. That is a closed loop: a slow system silently reduces the load and hides its own waiting time.
"""

from collections.abc import Callable, Iterable

import gevent
from gevent.event import Event
from gevent.pool import Group

from aguante.load_protocol.records import LoadSummary
from loadtests.profiles import Intent

DRAIN_GRACE_S = 1.0
"""Added to a request's timeout: for its greenlet to record the outcome."""


class OpenLoop:
    """Calls ``send`` for each arrival; ``send`` must end by itself within ``timeout_s``."""

    def __init__(
        self,
        send: Callable[[Intent], None],
        *,
        max_outstanding: int,
        timeout_s: float,
        clock: Callable[[], float],
        duration_s: float = 0.0,
    ) -> None:
        self._send = send
        self._max_outstanding = max_outstanding
        self._timeout_s = timeout_s
        self._clock = clock
        self._duration_s = duration_s
        self._outstanding = Group()
        self._stop = Event()
        self._offered = 0
        self._shed = 0

    def stop(self) -> None:
        """No further arrivals; ``play`` then awaits pending requests. May be called before ``play``."""
        self._stop.set()

    def play(self, intents: Iterable[Intent], t0_s: float) -> None:
        """Start every intent at ``t0_s`` + its time (by ``clock``), then await pending requests.

        Unless it is stopped, it lasts at least ``duration_s``. An arrival that finds ``max_outstanding``
        requests pending is shed and counted. A late arrival is started at once: the schedule is never
        stretched.
        """
        try:
            for intent in intents:
                if self._wait_until(t0_s + intent.at_s):
                    break
                self._arrive(intent)
            else:  # the last arrival may be long before the end, and ending early would look like a crash
                self._wait_until(t0_s + self._duration_s)
        finally:  # also when Locust kills the user: pending responses are evidence
            self._outstanding.join(timeout=self._timeout_s + DRAIN_GRACE_S)
            self._outstanding.kill()

    def summary(self, completed: int) -> LoadSummary:
        """Counts so far; ``completed`` is the number of records written."""
        return LoadSummary(
            offered=self._offered,
            sent=self._offered - self._shed,
            shed=self._shed,
            completed=completed,
        )

    def _wait_until(self, at_s: float) -> bool:
        """Wait; return True when stopped. Yields even when late, or a burst would starve its own requests."""
        delay_s = at_s - self._clock()
        if delay_s > 0:
            return bool(self._stop.wait(delay_s))
        gevent.sleep(0)
        return bool(self._stop.is_set())

    def _arrive(self, intent: Intent) -> None:
        self._offered += 1
        if len(self._outstanding) >= self._max_outstanding:
            self._shed += 1
        else:
            self._outstanding.spawn(self._send, intent)
