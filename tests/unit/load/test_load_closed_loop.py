"""The closed loop on a clock of its own."""

from collections.abc import Iterator

import gevent
import pytest

from aguante.rates import Shape, curve_of
from loadtests import closedloop
from loadtests.closedloop import ClosedLoop
from loadtests.profiles import Choice, Intent

CHOICE = Choice("read_event", "event-a", "user-1", 1)


class Time:
    """A clock that goes on when somebody waits; one greenlet after the other, nobody really sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Stop:
    """Stands in for gevent's Event: waiting moves the clock."""

    def __init__(self, time: Time) -> None:
        self._time, self._set = time, False

    def set(self) -> None:
        self._set = True

    def wait(self, timeout: float) -> bool:
        self._time.now_s += timeout
        gevent.sleep(0)
        return self._set


def played(
    monkeypatch: pytest.MonkeyPatch, answer_s: float, rate_rps: float = 10.0, duration_s: float = 10
) -> list[Intent]:
    """What one user asked when every answer takes so long."""
    time, sent = Time(), []
    monkeypatch.setattr(closedloop, "Event", lambda: Stop(time))

    def send(intent: Intent) -> None:
        sent.append(intent)
        time.now_s += answer_s

    curve = curve_of("steady", rate_rps, Shape(), duration_s)
    loop = ClosedLoop(send, users=range(1), of=1, curve=curve, timeout_s=1, clock=time)
    loop.play(choices(), 0.0)
    assert loop.summary(len(sent)).offered == len(sent)
    return sent


def choices() -> Iterator[Intent]:
    for seq in range(10_000):
        yield Intent(seq, seq / 10, CHOICE)


def test_while_answers_are_quick_it_keeps_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """10 rps for 10 s: a hundred requests, 100 ms apart."""
    sent = played(monkeypatch, answer_s=0.01, duration_s=9.95)
    assert [each.at_s for each in sent] == pytest.approx([n / 10 for n in range(100)])


def test_when_answers_are_slow_it_asks_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of 2 s let one user ask five times in 10 s: the other 95 are nowhere to be seen."""
    assert len(played(monkeypatch, answer_s=2.0)) == 5


def test_a_request_is_never_late_by_its_own_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its intended start is when it is sent: that is what a closed loop cannot know better."""
    sent = played(monkeypatch, answer_s=2.0)
    assert [each.at_s for each in sent] == pytest.approx([0, 2, 4, 6, 8])
