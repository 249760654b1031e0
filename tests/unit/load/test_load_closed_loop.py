"""The closed loop, on a simulated clock."""

import math
from collections.abc import Iterator
from itertools import islice

import gevent
import pytest
from load_plans import plan

from aguante.load_protocol.rates import Shape, curve_of
from aguante.load_protocol.records import LoadSummary
from loadtests import closed_loop
from loadtests.closed_loop import ClosedLoop
from loadtests.profiles import Choice, Intent, intents

CHOICE = Choice("read_event", "event-a", "user-1", 1)


class Time:
    """A clock that advances when somebody waits, so that nothing really sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Stop:
    """A fake of gevent's Event whose wait advances the clock."""

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
    response_s: float,
    profile: str = "steady",
    duration_s: float = 10,
    stop_at_s: float = math.inf,
) -> tuple[list[Intent], LoadSummary]:
    """The requests of one user when every response takes ``response_s``, and the loop's summary."""
    time, sent = Time(), []
    monkeypatch.setattr(closed_loop, "Event", lambda: Stop(time))

    def send(intent: Intent) -> None:
        sent.append(intent)
        time.now_s += response_s
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


def test_it_keeps_its_rate_while_responses_are_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """10 rps for 10 s: 100 requests, 100 ms apart."""
    sent, _ = played(monkeypatch, response_s=0.01, duration_s=9.95)
    assert [each.at_s for each in sent] == pytest.approx([n / 10 for n in range(100)])


def test_it_follows_a_ramp(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From 10 to 30 rps in 10 s there are 200 requests."""
    sent, summary = played(monkeypatch, response_s=0.01, profile="ramp")
    assert (len(sent), summary.offered) == (200, 200)


def test_it_sends_less_when_responses_are_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """With responses of 2 s one user sends five requests in 10 s; the other 95 are offered and not sent."""
    sent, summary = played(monkeypatch, response_s=2.0)
    assert summary == LoadSummary(offered=100, sent=5, shed=0, completed=5)
    assert len(sent) == 5


def test_missed_turns_are_not_caught_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Responses of 150 ms make the user miss turns, which no later burst replaces."""
    sent, _ = played(monkeypatch, response_s=0.15, duration_s=1.45)
    assert [each.at_s for each in sent] == pytest.approx([0.15 * n for n in range(10)])


def test_nothing_is_offered_after_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after 4 s with responses of 2 s: 40 were due until then."""
    _, summary = played(monkeypatch, response_s=2.0, stop_at_s=4.0)
    assert (summary.offered, summary.sent) == (40, 2)


def test_several_workers_together_offer_the_whole_schedule() -> None:
    """15.9 turns of three users on two workers make 16 requests."""
    curve = curve_of("steady", 10.0, Shape(), 1.59)
    time = Time()
    halves = [
        ClosedLoop(lambda _: None, users=users, of=3, curve=curve, timeout_s=1, clock=time)
        for users in (range(0, 3, 2), range(1, 3, 2))
    ]
    time.now_s = 9.0
    assert sum(each.summary(0).offered for each in halves) == 16


def test_the_intended_start_is_the_actual_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a closed loop never reports a late request."""
    sent, _ = played(monkeypatch, response_s=2.0)
    assert [each.at_s for each in sent] == pytest.approx([0, 2, 4, 6, 8])


def test_a_closed_loop_has_an_endless_sequence_of_choices() -> None:
    """The number of arrivals of an open loop does not limit its users."""
    sequence = intents(plan(users=3, arrivals="poisson", duration_s=0.1))
    assert len(list(islice(sequence, 1000))) == 1000
