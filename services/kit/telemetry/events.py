"""What the patterns and the edges report: one frozen fact each, in the past tense.

A pattern knows nothing about metrics, spans or logs: it is given an `Emit` and calls it. `telemetry.py` renders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from services.kit.failures.problem import Mechanism


class BreakerState(StrEnum):
    """The three states of a circuit breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Event:
    """The base of every event; a service adds its own in subclasses."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class RequestFinished(Event):
    """A response was sent. `mechanism` is None on a 2xx; `trace_id` is empty where there is no span."""

    method: str
    route: str
    status: int
    mechanism: Mechanism | None
    duration_s: float
    trace_id: str


@dataclass(frozen=True, slots=True)
class RequestRejected(Event):
    """A request was rejected on arrival, before any work."""

    mechanism: Mechanism


@dataclass(frozen=True, slots=True)
class AttemptFinished(Event):
    """One attempt of a call over a link ended. `status` is None when no response came."""

    link: str
    method: str
    route: str
    attempt: int
    status: int | None
    mechanism: Mechanism | None
    duration_s: float
    trace_id: str


@dataclass(frozen=True, slots=True)
class CallRejected(Event):
    """A call (or the repetition of one) was refused before anything was sent."""

    link: str
    mechanism: Mechanism


@dataclass(frozen=True, slots=True)
class BreakerChanged(Event):
    """A circuit breaker went from one state to another."""

    link: str
    before: BreakerState
    after: BreakerState


@dataclass(frozen=True, slots=True)
class ProbeAdmitted(Event):
    """A half-open breaker admitted its one trial call."""

    link: str


@dataclass(frozen=True, slots=True)
class RetryScheduled(Event):
    """Attempt number `attempt` failed with `mechanism`; the next starts after `delay_s`."""

    link: str
    attempt: int
    delay_s: float
    mechanism: Mechanism


@dataclass(frozen=True, slots=True)
class StatementFinished(Event):
    """A database statement ended. `mechanism` is None when it succeeded."""

    link: str
    summary: str
    mechanism: Mechanism | None
    duration_s: float


Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Do nothing with the event: for tests and tools that need no telemetry."""
