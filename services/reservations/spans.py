"""Spans around work that no request waits for."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from services.kit.telemetry.tracing import Tracing, span_context
from services.reservations.domain import Trace


class Spans(Protocol):
    """Makes INTERNAL spans; a test makes none."""

    def __call__(
        self, name: str, reservation_id: str, begun_by: Trace | None = None
    ) -> AbstractContextManager[object]:
        """Return the context of a span; with `begun_by` it is a trace of its own, linked to that request's."""


@dataclass(frozen=True, slots=True)
class TracedSpans:
    """Makes INTERNAL spans of a tracer."""

    tracing: Tracing

    def __call__(
        self, name: str, reservation_id: str, begun_by: Trace | None = None
    ) -> AbstractContextManager[object]:
        """Return the context of a span."""
        link = None
        if begun_by is not None and begun_by.span_id:
            link = span_context(begun_by.trace_id, begun_by.span_id)
        return self.tracing.internal(name, {"aguante.reservation_id": reservation_id}, link_to=link)
