"""Renders the events of patterns and edges as metrics, span events and log lines."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.util.types import AttributeValue

from services.kit.telemetry.events import (
    BreakerChanged,
    CallRejected,
    Event,
    RequestRejected,
    RetryScheduled,
)
from services.kit.telemetry.metrics import Metrics
from services.kit.telemetry.tracing import Tracing

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Metrics, traces and log lines of one service. Patterns are given its `emit`."""

    service: str
    metrics: Metrics
    tracing: Tracing

    @classmethod
    def start(
        cls, service: str, otlp_endpoint: str | None, resource_attributes: Mapping[str, str]
    ) -> Telemetry:
        """Start the telemetry of a service; without `otlp_endpoint` no spans are exported."""
        metrics = Metrics()
        return cls(service, metrics, Tracing(service, otlp_endpoint, resource_attributes, metrics))

    def emit(self, event: Event) -> None:
        """Count the event, and add it to the current span and to the log where it belongs there."""
        self.metrics.emit(event)
        match event:
            case CallRejected(link, mechanism):
                _span_event("call.rejected", {"aguante.link": link, "error.type": mechanism.value})
            case RequestRejected(mechanism):
                _span_event("request.rejected", {"error.type": mechanism.value})
            case RetryScheduled(link, attempt, delay_s, mechanism):
                _span_event(
                    "retry",
                    {
                        "aguante.link": link,
                        "aguante.attempt": attempt,
                        "retry.delay_ms": round(delay_s * 1000, 3),
                        "error.type": mechanism.value,
                    },
                )
            case BreakerChanged(link, before, after):
                fields = {
                    "aguante.link": link,
                    "breaker.from": before.value,
                    "breaker.to": after.value,
                }
                _span_event("breaker.transition", fields)
                _LOG.warning("breaker %s: %s -> %s", link, before, after, extra={"fields": fields})
            case _:
                pass


def _span_event(name: str, attributes: Mapping[str, AttributeValue]) -> None:
    trace.get_current_span().add_event(name, attributes)
