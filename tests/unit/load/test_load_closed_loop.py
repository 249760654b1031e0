"""The closed loop on a clock of its own."""

import math
from collections.abc import Iterator
from itertools import islice

import gevent
import pytest
from load_plans import plan

from aguante.load_protocol.rates import Shape, curve_of
from aguante.load_protocol.records import LoadSummary
from loadtests import closedloop
from loadtests.closedloop import ClosedLoop
from loadtests.profiles import Choice, Intent, intents

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
    monkeypatch: pytest.MonkeyPatch,
    answer_s: float,
    profile: str = "steady",
    duration_s: float = 10,
    stop_at_s: float = math.inf,
) -> tuple[list[Intent], LoadSummary]:
    """What one user asked when every answer takes so long, and the loop's own account."""
    time, sent = Time(), []
    monkeypatch.setattr(closedloop, "Event", lambda: Stop(time))

    def send(intent: Intent) -> None:
        sent.append(intent)
        time.now_s += answer_s
        if time.now_s >= stop_at_s:
            loop.stop()

    shape = Shape(to_rps=30.0) if profile == "ramp" else Shape()
    curve = curve_of(profile, 10.0, shape, duration_s)
    loop = ClosedLoop(send, users=range(1), of=1, curve=curve, timeout_s=1, clock=time)
    loop.play(choices(), 0.0)
    return sent, loop.summary(len(sent))


def choices() -> Iterator[Intent]:
    for seq in range(10_000):
        yield Intent(seq, seq / 10, CHOICE)


def test_while_answers_are_quick_it_keeps_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """10 rps for 10 s: a hundred requests, 100 ms apart."""
    sent, _ = played(monkeypatch, answer_s=0.01, duration_s=9.95)
    assert [each.at_s for each in sent] == pytest.approx([n / 10 for n in range(100)])


def test_along_a_ramp_it_asks_as_often_as_the_schedule_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From 10 to 30 rps in 10 s: the area is 200 requests, and each comes when its turn is due."""
    sent, summary = played(monkeypatch, answer_s=0.01, profile="ramp")
    assert (len(sent), summary.offered) == (200, 200)


def test_when_answers_are_slow_it_asks_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of 2 s let one user ask five times in 10 s: the other 95 are offered and were never sent."""
    sent, summary = played(monkeypatch, answer_s=2.0)
    assert summary == LoadSummary(offered=100, sent=5, shed=0, completed=5)
    assert len(sent) == 5


def test_one_slow_answer_costs_the_turns_that_passed_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Answers of 150 ms let every second turn pass: they are not made good by a burst."""
    sent, _ = played(monkeypatch, answer_s=0.15, duration_s=1.45)
    assert [each.at_s for each in sent] == pytest.approx([0.15 * n for n in range(10)])


def test_nothing_is_offered_after_it_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after 4 s of answers that take 2 s: 40 were due until then."""
    _, summary = played(monkeypatch, answer_s=2.0, stop_at_s=4.0)
    assert (summary.offered, summary.sent) == (40, 2)


def test_several_workers_offer_together_what_the_schedule_has() -> None:
    """15.9 due of three users on two workers: 16, however they are divided."""
    curve = curve_of("steady", 10.0, Shape(), 1.59)
    time = Time()
    halves = [
        ClosedLoop(lambda _: None, users=users, of=3, curve=curve, timeout_s=1, clock=time)
        for users in (range(0, 3, 2), range(1, 3, 2))
    ]
    time.now_s = 9.0
    assert sum(each.summary(0).offered for each in halves) == 16


def test_a_request_is_never_late_by_its_own_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its intended start is when it is sent: that is what a closed loop cannot know better."""
    sent, _ = played(monkeypatch, answer_s=2.0)
    assert [each.at_s for each in sent] == pytest.approx([0, 2, 4, 6, 8])


def test_a_closed_loop_has_choices_without_end() -> None:
    """What a Poisson process drew for an open loop, now fewer and now more than planned, limits no user."""
    asked = intents(plan(users=3, arrivals="poisson", duration_s=0.1))
    assert len(list(islice(asked, 1000))) == 1000
