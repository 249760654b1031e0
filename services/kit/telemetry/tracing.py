"""OpenTelemetry traces: spans placed by hand, W3C context and baggage, and an exporter that never blocks.

By hand, because the official automatic instrumentations halve the throughput of this system where hand-placed
spans cost a third, and because the one for asyncpg misses prepared statements.
Spans go to a bounded queue, and a thread sends them to the collector over OTLP/HTTP. A full queue drops the oldest
span and counts it; a dead collector costs lost spans and at most `SHUTDOWN_S` at the end.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from opentelemetry import baggage, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from services.kit.telemetry.metrics import Metrics
from services.kit.telemetry.text import printable

QUEUE_SPANS_MAX = 8192
BATCH_SPANS_MAX = 512
EXPORT_EVERY_MS = 500
EXPORT_TIMEOUT_S = 1.5
SHUTDOWN_S = 2.0
BAGGAGE_KEYS = ("aguante.run_id", "aguante.experiment", "aguante.phase")
BAGGAGE_CHARS_MAX = 128

_HEADERS = ("traceparent", "tracestate", "baggage")
_PROPAGATOR = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])


def extract(headers: Mapping[str, str]) -> Context:
    """Return the caller's trace context and baggage; an empty context when they are missing or broken.

    Only our own baggage keys are kept, and their values cut: encoding makes baggage longer, and a callee would
    refuse a header that our caller has filled to the limit.
    """
    readable = {
        name: value for name in _HEADERS if (value := headers.get(name)) and value.isascii()
    }  # the propagators raise on bytes that are not text
    context = _PROPAGATOR.extract(readable, context=Context())
    received = baggage.get_all(context)
    if not received:
        return context
    context = baggage.clear(context)
    for key in BAGGAGE_KEYS:
        if key in received:
            value = printable(str(received[key]), BAGGAGE_CHARS_MAX)
            context = baggage.set_baggage(key, value, context)
    return context


def inject(headers: dict[str, str]) -> None:
    """Add `traceparent` and `baggage` of the current span to outgoing headers."""
    _PROPAGATOR.inject(headers)


def trace_id_hex(span: trace.Span | None = None) -> str:
    """Return the trace id of `span`, or of the current one, as 32 hex digits."""
    return f"{(span or trace.get_current_span()).get_span_context().trace_id:032x}"


def span_id_hex() -> str:
    """Return the span id of the current span as 16 hex digits."""
    return f"{trace.get_current_span().get_span_context().span_id:016x}"


class Tracing:
    """One service's tracer. `endpoint` None: spans are made, because trace ids are needed, and not exported."""

    def __init__(
        self, service: str, endpoint: str | None, resource: Mapping[str, str], metrics: Metrics
    ) -> None:
        os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
        attributes = {**resource, "service.name": service}
        self._provider = TracerProvider(
            resource=Resource.create(attributes), shutdown_on_exit=False
        )
        self._provider.add_span_processor(_BaggageToAttributes())
        if endpoint is not None:
            self.export_to(_otlp_exporter(endpoint), metrics)
        self._tracer = self._provider.get_tracer("services.kit")

    def export_to(self, exporter: SpanExporter, metrics: Metrics) -> None:
        """Send every finished span to `exporter`, in batches, from a thread."""
        self._provider.add_span_processor(_CountingBatches(exporter, metrics))

    def start(
        self,
        name: str,
        kind: SpanKind,
        attributes: Mapping[str, AttributeValue],
        context: Context | None = None,
    ) -> trace.Span:
        """Start a span that the caller ends; its parent is the current span unless `context` says otherwise."""
        return self._tracer.start_span(name, context, kind, attributes)

    def internal(
        self,
        name: str,
        attributes: Mapping[str, AttributeValue],
        *,
        link_to: tuple[str, str] | None = None,
    ) -> AbstractContextManager[trace.Span]:
        """Return the context of an INTERNAL span.

        With `link_to`, a span's trace id and span id in hex digits, it begins a trace of its own (keeping the
        baggage) that is linked to that span, for work that outlives its request.
        """
        root = links = None
        if link_to is not None and all(link_to):
            root = trace.set_span_in_context(trace.INVALID_SPAN)
            links = [trace.Link(_span_context(*link_to))]
        return self._tracer.start_as_current_span(
            name, root, SpanKind.INTERNAL, attributes, links, record_exception=False
        )

    def shutdown(self) -> None:
        """Flush the queue; returns after at most `SHUTDOWN_S`, whatever the collector does."""
        worker = threading.Thread(target=self._provider.shutdown, daemon=True)
        worker.start()
        worker.join(SHUTDOWN_S)


def _span_context(trace_id: str, span_id: str) -> trace.SpanContext:
    sampled = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    return trace.SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=sampled
    )


def _otlp_exporter(endpoint: str) -> SpanExporter:
    # Imported here: it takes 40 ms, and a service without a collector does not need it.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_TIMEOUT_S)


class _BaggageToAttributes(SpanProcessor):
    """Copies the run's baggage to every span, so that Jaeger finds all traces of a run and a phase."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        received = baggage.get_all(parent_context)
        for key in BAGGAGE_KEYS:
            if key in received:
                span.set_attribute(key, str(received[key]))


class _CountingExporter(SpanExporter):
    """Counts the spans that the collector took and those that were lost on the way to it."""

    def __init__(self, inner: SpanExporter, metrics: Metrics) -> None:
        self._inner = inner
        self._metrics = metrics
        self.taken = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.taken += len(spans)
        result = self._inner.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._metrics.spans_exported.inc(len(spans))
        else:
            self._metrics.spans_dropped.labels("export_failed").inc(len(spans))
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()


class _CountingBatches(SpanProcessor):
    """The SDK's batch processor, which does not count the spans that its full queue drops; this does."""

    def __init__(self, exporter: SpanExporter, metrics: Metrics) -> None:
        self._exporter = _CountingExporter(exporter, metrics)
        self._inner = BatchSpanProcessor(
            self._exporter, QUEUE_SPANS_MAX, EXPORT_EVERY_MS, BATCH_SPANS_MAX
        )
        self._dropped = metrics.spans_dropped.labels("queue_full")
        self._waiting = 0  # finished, and neither exported nor dropped, when last counted
        self._taken_before = 0

    def on_end(self, span: ReadableSpan) -> None:
        taken = self._exporter.taken
        self._waiting -= taken - self._taken_before
        self._taken_before = taken
        if self._waiting >= QUEUE_SPANS_MAX:
            self._dropped.inc()  # the queue drops its oldest for this one
        else:
            self._waiting += 1
        self._inner.on_end(span)

    def shutdown(self) -> None:
        self._inner.shutdown()  # type: ignore[no-untyped-call]
