"""The events of sagas, and their metrics beside those of `services/kit/telemetry/metrics.py`.

`aguante_saga_transitions_total`: committed changes of state, by `from_state`, `to_state`.
`aguante_compensations_total`: releases and refunds sent, by `step` and `error_type` (empty when it succeeded).
"""

from dataclasses import dataclass

from services.kit.failures.expected import NO_RESPONSE, OF_WRITES
from services.kit.failures.problem import Mechanism
from services.kit.telemetry.events import Event
from services.kit.telemetry.metrics import Metrics
from services.reservations.domain import CHANGES, State, Undo

SAGA_TRANSITIONS = "aguante_saga_transitions_total"
COMPENSATIONS = "aguante_compensations_total"

_COMPENSATION_FAILURES = (*NO_RESPONSE[:4], *OF_WRITES[1:])
"""How a release or refund fails: it has no deadline."""


@dataclass(frozen=True, slots=True)
class SagaTransitioned(Event):
    """A saga's state changed, and the change is committed."""

    before: State
    after: State


@dataclass(frozen=True, slots=True)
class CompensationAttempted(Event):
    """A release or refund was sent. `mechanism` is None when it succeeded."""

    step: Undo
    mechanism: Mechanism | None


def add_saga_metrics(metrics: Metrics) -> None:
    """Have the events counted; every child that can be foreseen exists at 0 from the start."""
    transitions = metrics.counter(
        SAGA_TRANSITIONS, "Committed changes of state.", ("from_state", "to_state")
    )
    compensations = metrics.counter(
        COMPENSATIONS, "Releases and refunds sent.", ("step", "error_type")
    )
    for before, after in CHANGES:
        transitions.labels(before, after)
    for step in Undo:
        for mechanism in ("", *_COMPENSATION_FAILURES):
            compensations.labels(step, mechanism)
    metrics.on(SagaTransitioned, lambda e: transitions.labels(e.before, e.after).inc())
    metrics.on(
        CompensationAttempted, lambda e: compensations.labels(e.step, e.mechanism or "").inc()
    )
