import logging

import pytest

from services.kit.failures.problem import Mechanism, Problem
from services.kit.telemetry.failure_log import LINES_A_SECOND_MAX, FailureLog

REFUSED = Problem(
    Mechanism.BREAKER_OPEN, "open", link="reservations-payments", reservation_id="r-1"
)


class World:
    """A log whose clock stands until it is set."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.now_s = 7.0
        self.log = FailureLog(lambda: self.now_s)
        self._caplog = caplog
        caplog.set_level(logging.WARNING)

    def lines(self) -> list[dict[str, object]]:
        return [record.fields for record in self._caplog.records]  # type: ignore[attr-defined]


def test_a_failure_is_told_with_what_it_is_found_by(caplog: pytest.LogCaptureFixture) -> None:
    """The mechanism, the link and the reservation; the origin is the service where the problem names none."""
    world = World(caplog)
    world.log.record(REFUSED, "reservations")
    told = {"status": 503, "mechanism": "breaker_open", "origin": "reservations"}
    assert world.lines() == [told | {"link": "reservations-payments", "reservation_id": "r-1"}]
    assert caplog.messages == ["answered 503 breaker_open"]


@pytest.mark.parametrize(
    "mechanism", [Mechanism.SEMAPHORE_FULL, Mechanism.SOLD_OUT, Mechanism.INTERNAL_ERROR]
)
def test_other_answers_are_not_told(mechanism: Mechanism, caplog: pytest.LogCaptureFixture) -> None:
    """A refusal that must cost nothing, an answer of business, and what has its traceback in the log already."""
    world = World(caplog)
    world.log.record(Problem(mechanism, "no"), "gateway")
    assert world.lines() == []


def test_a_crowd_of_failures_is_cut_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """Each second has its own limit; how many lines were left out is logged once."""
    world = World(caplog)
    for _ in range(LINES_A_SECOND_MAX + 3):
        world.log.record(REFUSED, "reservations")
    assert len(world.lines()) == LINES_A_SECOND_MAX
    world.now_s += 1
    world.log.record(REFUSED, "reservations")
    world.log.record(REFUSED, "reservations")
    assert [line.get("left_out") for line in world.lines()[-3:]] == [None, 3, None]
