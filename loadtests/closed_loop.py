"""The closed loop, which most load tests use: each user waits for a response before it sends the next request.

While responses are quick, the users together reach the plan's rate: each sends once per ``users / rate_rps``
seconds, or at once when its last response took longer. When the system slows down they send less, so requests
that would have failed are never sent, and no latency includes the waiting: see docs/closed-loop.md. A request
has no intended start but its actual one. ``offered`` in the summary counts what would have been sent had every
response been quick.
"""

import math
from collections.abc import Callable, Iterator

from gevent.event import Event
from gevent.pool import Group

from aguante.load_protocol.rates import Curve
from aguante.load_protocol.records import LoadSummary
from loadtests.open_loop import DRAIN_GRACE_S
from loadtests.profiles import Intent

ROUNDING = 1e-6
"""Tolerance for the schedule's area, in turns."""


class ClosedLoop:
    """Plays choices by users, with the interface of ``OpenLoop``.

    Args:
        send: must end by itself within ``timeout_s``.
        users: the numbers of this worker's users.
        of: the number of all users of all workers, whose common rate is the curve's.
        curve: requests per second over time.
        timeout_s: of one request.
        clock: seconds of a monotonic clock.
    """

    def __init__(
        self,
        send: Callable[[Intent], None],
        *,
        users: range,
        of: int,
        curve: Curve,
        timeout_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._send = send
        self._users = users
        self._of = of
        self._curve = curve
        self._timeout_s = timeout_s
        self._clock = clock
        self._stop = Event()
        self._sent = 0
        self._t0_s = 0.0
        self._ends_s = math.inf

    def stop(self) -> None:
        """Send nothing more; ``play`` then awaits pending requests. May be called before ``play``."""
        self._ends_s = min(self._ends_s, self._clock())
        self._stop.set()

    def play(self, intents: Iterator[Intent], t0_s: float) -> None:
        """Run every user from ``t0_s`` until the curve or the intents end."""
        self._t0_s = t0_s
        users = Group()
        for user in self._users:
            users.spawn(self._run_user, user, intents)
        try:
            users.join()
            self._stop.wait(max(0.0, t0_s + self._curve.duration_s - self._clock()))
        finally:  # also when Locust kills this greenlet: pending responses are evidence
            self.stop()
            users.join(timeout=self._timeout_s + DRAIN_GRACE_S)
            users.kill()

    def summary(self, completed: int) -> LoadSummary:
        """Counts so far; ``offered`` is what these users would have sent until the end without waiting."""
        ended_s = min(self._ends_s - self._t0_s, self._curve.duration_s)
        due = self._curve.arrivals(0.0, ended_s) - ROUNDING
        offered = sum(max(0, math.ceil((due - user) / self._of)) for user in self._users)
        return LoadSummary(
            offered=max(offered, self._sent), sent=self._sent, shed=0, completed=completed
        )

    def _now_s(self) -> float:
        return self._clock() - self._t0_s

    def _run_user(self, user: int, intents: Iterator[Intent]) -> None:
        """Take every ``of``-th turn of the schedule; turns that pass while the user waits are lost."""
        turn = float(user)
        while (next_s := self._due_s(turn)) < self._curve.duration_s:
            if self._stop.wait(max(0.0, next_s - self._now_s())):
                return
            now_s = self._now_s()
            if now_s >= self._curve.duration_s or (intent := next(intents, None)) is None:
                return
            self._sent += 1
            self._send(Intent(intent.seq, now_s, intent.choice))
            turn = max(turn + self._of, self._curve.arrivals(0.0, self._now_s()))

    def _due_s(self, turn: float) -> float:
        """When a turn is due, seconds since t0; infinite beyond the schedule."""
        return next(self._curve.when(iter((turn,))), math.inf)
