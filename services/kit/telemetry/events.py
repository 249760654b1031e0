"""What the patterns and the edges report: one frozen fact each, in the past tense.

A pattern knows nothing of metrics, spans or logs: it is given an ``Emit`` and calls it. ``telemetry.py`` renders.
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


@dataclass(frozen=True, slots=True)
class RequestFinished:
    """A request was answered. ``mechanism`` is None on a 2xx; ``trace_id`` is empty where there is no span."""

    method: str
    route: str
    status: int
    mechanism: Mechanism | None
    duration_s: float
    trace_id: str


@dataclass(frozen=True, slots=True)
class RequestRejected:
    """A request was turned away at the door, before any work."""

    mechanism: Mechanism


@dataclass(frozen=True, slots=True)
class AttemptFinished:
    """One attempt of a call over a link ended. ``status`` is None when no answer came."""

    link: str
    method: str
    route: str
    attempt: int
    status: int | None
    mechanism: Mechanism | None
    duration_s: float
    trace_id: str


@dataclass(frozen=True, slots=True)
class CallRejected:
    """A call (or the repetition of one) was refused before anything was sent."""

    link: str
    mechanism: Mechanism


@dataclass(frozen=True, slots=True)
class BreakerChanged:
    """A circuit breaker went from one state to another."""

    link: str
    before: BreakerState
    after: BreakerState


@dataclass(frozen=True, slots=True)
class ProbeAdmitted:
    """A half-open breaker let its one trial call through."""

    link: str


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """Attempt number ``attempt`` failed with ``mechanism``; the next starts after ``delay_s``."""

    link: str
    attempt: int
    delay_s: float
    mechanism: Mechanism


@dataclass(frozen=True, slots=True)
class StatementFinished:
    """A database statement ended. ``mechanism`` is None when it held."""

    link: str
    summary: str
    mechanism: Mechanism | None
    duration_s: float


@dataclass(frozen=True, slots=True)
class SagaTransitioned:
    """A saga's state changed, and the change is committed."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class CompensationAttempted:
    """A release or refund was sent. ``mechanism`` is None when it held."""

    step: str
    mechanism: Mechanism | None


Event = (
    RequestFinished
    | RequestRejected
    | AttemptFinished
    | CallRejected
    | BreakerChanged
    | ProbeAdmitted
    | RetryScheduled
    | StatementFinished
    | SagaTransitioned
    | CompensationAttempted
)
Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Do nothing with the event: for tests and tools that need no telemetry."""
