import io
import json
import logging
import threading
import time

import pytest
from kit_fakes import LINK
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from services.kit.failures.problem import Mechanism
from services.kit.telemetry import tracing as module
from services.kit.telemetry.events import BreakerChanged, BreakerState, CallRejected, RetryScheduled
from services.kit.telemetry.logs import JsonFormatter
from services.kit.telemetry.metrics import Metrics
from services.kit.telemetry.telemetry import Telemetry
from services.kit.telemetry.tracing import Tracing, extract, inject, trace_id_hex

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
HEADERS = {"traceparent": PARENT, "baggage": "aguante.run_id=r7,aguante.phase=fault,other=x"}


class World:
    """Telemetry that exports into memory."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.tracing = Tracing("payments", None, {"service.instance.id": "p-1"}, self.metrics)
        self.memory = InMemorySpanExporter()
        self.tracing.export_to(self.memory, self.metrics)
        self.telemetry = Telemetry("payments", self.metrics, self.tracing)

    def spans(self) -> list[ReadableSpan]:
        self.tracing.shutdown()
        return list(self.memory.get_finished_spans())

    def sample(self, name: str, **labels: str) -> float:
        value = self.metrics.registry.get_sample_value(name, labels)
        assert value is not None
        return value


def test_a_span_continues_the_callers_trace_and_carries_the_runs_baggage() -> None:
    """Trace id and parent come from traceparent; the three baggage keys become attributes, others do not."""
    world = World()
    world.tracing.start("POST /pay", SpanKind.SERVER, {}, extract(HEADERS)).end()
    (span,) = world.spans()
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert span.attributes is not None
    assert dict(span.attributes) == {"aguante.run_id": "r7", "aguante.phase": "fault"}
    assert span.resource.attributes["service.name"] == "payments"
    assert span.resource.attributes["service.instance.id"] == "p-1"


@pytest.mark.parametrize("broken", ["", "nonsense", "00-0-0-0", "00-" + "0" * 32 + "-b7-01", "é"])
def test_a_broken_traceparent_begins_a_new_trace(broken: str) -> None:
    """What a client sends as trace context can be anything."""
    span = World().tracing.start("x", SpanKind.SERVER, {}, extract({"traceparent": broken}))
    assert span.get_span_context().is_valid


def test_context_and_baggage_go_out_again() -> None:
    """An outgoing call names the current span as its parent and keeps the baggage."""
    parent = extract(HEADERS)
    span = World().tracing.start("x", SpanKind.SERVER, {}, parent)
    token = otel_context.attach(trace.set_span_in_context(span, parent))
    headers: dict[str, str] = {}
    inject(headers)
    otel_context.detach(token)
    assert headers["traceparent"].split("-")[1] == "0af7651916cd43dd8448eb211c80319c"
    assert headers["traceparent"].split("-")[2] == f"{span.get_span_context().span_id:016x}"
    assert "aguante.run_id=r7" in headers["baggage"]


def test_work_that_outlives_its_request_has_its_own_trace_linked_to_it() -> None:
    """A compensation begins a trace of its own, with a link back."""
    world = World()
    request = world.tracing.start("POST /reserve", SpanKind.SERVER, {})
    begun_by = request.get_span_context()
    ids = (f"{begun_by.trace_id:032x}", f"{begun_by.span_id:016x}")
    with world.tracing.internal("compensate", {"aguante.reservation_id": "r"}, link_to=ids):
        assert trace_id_hex() != trace_id_hex(request)
    (span,) = world.spans()
    linked = span.links[0].context
    assert (linked.trace_id, linked.span_id) == (begun_by.trace_id, begun_by.span_id)


def test_events_of_patterns_are_on_the_current_span() -> None:
    """A rejection, a retry and a breaker's change are span events with the contract's names."""
    world = World()
    span = world.tracing.start("x", SpanKind.SERVER, {})
    with trace.use_span(span, end_on_exit=True):
        world.telemetry.emit(CallRejected(LINK, Mechanism.BREAKER_OPEN))
        world.telemetry.emit(RetryScheduled(LINK, 1, 0.05, Mechanism.CONNECT_REFUSED))
        world.telemetry.emit(BreakerChanged(LINK, BreakerState.OPEN, BreakerState.HALF_OPEN))
    (finished,) = world.spans()
    told = [(event.name, dict(event.attributes or {})) for event in finished.events]
    assert told == [
        ("call.rejected", {"aguante.link": LINK, "error.type": "breaker_open"}),
        (
            "retry",
            {
                "aguante.link": LINK,
                "aguante.attempt": 1,
                "retry.delay_ms": 50,
                "error.type": "connect_refused",
            },
        ),
        (
            "breaker.transition",
            {"aguante.link": LINK, "breaker.from": "open", "breaker.to": "half_open"},
        ),
    ]


def test_exported_spans_are_counted() -> None:
    """What the collector took is on /metrics."""
    world = World()
    for _ in range(3):
        world.tracing.start("x", SpanKind.SERVER, {}).end()
    world.tracing.shutdown()
    assert world.sample("aguante_spans_exported_total") == 3


class HangingExporter(SpanExporter):
    """A collector that takes a batch and never answers."""

    def __init__(self) -> None:
        self.hold = threading.Event()

    def export(self, spans: object) -> SpanExportResult:
        self.hold.wait(30)
        return SpanExportResult.FAILURE


def test_a_hanging_collector_costs_spans_and_a_bounded_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full queue drops and counts; emitting never waits; shutdown takes at most its limit."""
    monkeypatch.setattr(module, "QUEUE_SPANS_MAX", 64)
    monkeypatch.setattr(module, "BATCH_SPANS_MAX", 16)
    monkeypatch.setattr(module, "SHUTDOWN_S", 0.2)
    metrics = Metrics()
    hanging = HangingExporter()
    tracing = Tracing("payments", None, {}, metrics)
    tracing.export_to(hanging, metrics)
    started_s = time.perf_counter()
    for _ in range(1000):
        tracing.start("x", SpanKind.SERVER, {}).end()
    emitted_s = time.perf_counter() - started_s
    tracing.shutdown()
    ended_s = time.perf_counter() - started_s - emitted_s
    hanging.hold.set()
    dropped = metrics.registry.get_sample_value(
        "aguante_spans_dropped_total", {"reason": "queue_full"}
    )
    assert dropped is not None
    assert 1000 - 64 - 2 * 16 <= dropped <= 1000 - 64
    assert emitted_s < 1
    assert ended_s < 1


def test_a_log_line_is_json_with_the_current_trace() -> None:
    """One line, one object, with trace and span id, the extra fields, and the exception."""
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(JsonFormatter("payments"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    span = World().tracing.start("x", SpanKind.SERVER, {})
    with trace.use_span(span):
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            logger.exception("broke %s\n", "here", extra={"fields": {"reservation_id": "r"}})
    (line,) = handler.stream.getvalue().splitlines()
    said = json.loads(line)
    assert said["trace_id"] == trace_id_hex(span)
    assert (said["message"], said["reservation_id"]) == ("broke here\n", "r")
    assert "ZeroDivisionError" in said["exception"]
