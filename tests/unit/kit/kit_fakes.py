"""Fakes of what the kit is given: a clock that tests turn, a sleep that turns it, a recorder of events."""

from services.kit.failures.failed import CallFailed
from services.kit.failures.problem import Mechanism
from services.kit.telemetry.events import Event

LINK = "reservations-payments"


class FakeClock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        """Let the time pass without waiting."""
        self.now_s += seconds


class Recorder:
    """Keeps the events that a pattern emitted."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type) -> list[Event]:
        """Return the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


def failure(
    mechanism: Mechanism = Mechanism.TIMEOUT,
    *,
    status: int | None = None,
    origin: str = "reservations",
    link: str | None = LINK,
) -> CallFailed:
    """Return a failed call on the link; by default it timed out."""
    return CallFailed(mechanism, definite=False, link=link, origin=origin, status=status)
