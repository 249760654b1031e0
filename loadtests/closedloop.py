"""The closed loop: users who wait for their answer before they ask again. What most load tests do.

Together they reach the plan's rate while answers are quick: each asks once in ``users / rate_rps`` seconds,
and at once when its last answer took longer. When the system slows down they ask less, so what would have
gone wrong is never asked, and what was waited for is not in any latency: see docs/closed-loop.md. A request
has no intended start but its own.
"""

from collections.abc import Callable, Iterator

from gevent.event import Event
from gevent.pool import Group

from aguante.rates import Curve
from aguante.records import LoadSummary
from loadtests.openloop import DRAIN_GRACE_S
from loadtests.profiles import Intent


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

    def stop(self) -> None:
        """No further requests; ``play`` then awaits what is under way. Safe at any time, also before."""
        self._stop.set()

    def play(self, intents: Iterator[Intent], t0_s: float) -> None:
        """Let every user ask from ``t0_s`` on until the curve ends or the intents do."""
        users = Group()
        for user in self._users:
            users.spawn(self._be, user, intents, t0_s)
        try:
            users.join()
            self._stop.wait(max(0.0, t0_s + self._curve.duration_s - self._clock()))
        finally:  # also when Locust kills us: answers under way are still evidence
            self._stop.set()
            users.join(timeout=self._timeout_s + DRAIN_GRACE_S)
            users.kill()

    def summary(self, completed: int) -> LoadSummary:
        """Counts so far. Nothing is offered but what is sent, which is what is wrong with a closed loop."""
        return LoadSummary(offered=self._sent, sent=self._sent, shed=0, completed=completed)

    def _be(self, user: int, intents: Iterator[Intent], t0_s: float) -> None:
        """One user; they begin one after the other, so that they do not all ask at once."""
        next_s = user / max(self._curve.at(0.0), 1e-9)
        while next_s < self._curve.duration_s:
            if self._stop.wait(max(0.0, t0_s + next_s - self._clock())):
                return
            asked_s = self._clock() - t0_s
            intent = next(intents, None)
            if intent is None or asked_s >= self._curve.duration_s:
                return
            self._sent += 1
            self._send(Intent(intent.seq, asked_s, intent.choice))
            pace_s = self._of / max(self._curve.at(asked_s), 1e-9)
            next_s = max(asked_s + pace_s, self._clock() - t0_s)
