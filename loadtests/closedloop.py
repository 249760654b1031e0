"""The closed loop: users who wait for their answer before they ask again. What most load tests do.

Together they reach the plan's rate while answers are quick: each asks once in ``users / rate_rps`` seconds,
and at once when its last answer took longer. When the system slows down they ask less, so what would have
gone wrong is never asked, and what was waited for is not in any latency: see docs/closed-loop.md. A request
has no intended start but its own. What was not asked is at least counted: offered is what would have been asked, had
every answer been quick.
"""

import math
from collections.abc import Callable, Iterator

from gevent.event import Event
from gevent.pool import Group

from aguante.load_protocol.rates import Curve
from aguante.load_protocol.records import LoadSummary
from loadtests.openloop import DRAIN_GRACE_S
from loadtests.profiles import Intent

ROUNDING = 1e-6
"""Of a turn, by which the schedule's area may be off."""


class ClosedLoop:
    """Plays choices by users; offers what ``OpenLoop`` offers.

    Args:
        send: must end by itself within ``timeout_s``.
        users: the numbers of the users that are ours.
        of: how many there are, together with those of other workers; their rate is the curve's.
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
        """No further requests; ``play`` then awaits what is under way. Safe at any time, also before."""
        self._ends_s = min(self._ends_s, self._clock())
        self._stop.set()

    def play(self, intents: Iterator[Intent], t0_s: float) -> None:
        """Let every user ask from ``t0_s`` on until the curve ends or the intents do."""
        self._t0_s = t0_s
        users = Group()
        for user in self._users:
            users.spawn(self._be, user, intents)
        try:
            users.join()
            self._stop.wait(max(0.0, t0_s + self._curve.duration_s - self._clock()))
        finally:  # also when Locust kills us: answers under way are still evidence
            self.stop()
            users.join(timeout=self._timeout_s + DRAIN_GRACE_S)
            users.kill()

    def summary(self, completed: int) -> LoadSummary:
        """Counts so far. Offered is what our users would have asked until the end, had no answer kept them waiting."""
        ended_s = min(self._ends_s - self._t0_s, self._curve.duration_s)
        due = self._curve.arrivals(0.0, ended_s) - ROUNDING
        offered = sum(max(0, math.ceil((due - user) / self._of)) for user in self._users)
        return LoadSummary(
            offered=max(offered, self._sent), sent=self._sent, shed=0, completed=completed
        )

    def _now_s(self) -> float:
        return self._clock() - self._t0_s

    def _be(self, user: int, intents: Iterator[Intent]) -> None:
        """One user: it takes every ``of``-th turn of the schedule, and those that pass while it waits are lost."""
        turn = float(user)
        while (next_s := self._when(turn)) < self._curve.duration_s:
            if self._stop.wait(max(0.0, next_s - self._now_s())):
                return
            asked_s = self._now_s()
            if asked_s >= self._curve.duration_s or (intent := next(intents, None)) is None:
                return
            self._sent += 1
            self._send(Intent(intent.seq, asked_s, intent.choice))
            turn = max(turn + self._of, self._curve.arrivals(0.0, self._now_s()))

    def _when(self, turn: float) -> float:
        """When it is due, seconds since t0; infinite beyond the schedule."""
        return next(self._curve.when(iter((turn,))), math.inf)
