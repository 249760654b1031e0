"""A real service whose collector fails in every way serves as if there were none, and ends in time."""

import http.client
import json
import signal
import threading
import time

import psutil
import pytest
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind
from test_kit_serve import running

from aguante.collect.metrics_scraper import parse
from benchmarks.dead_collectors import DEAD
from services.kit.telemetry.metrics import SPANS_DROPPED, SPANS_EXPORTED, Metrics
from services.kit.telemetry.tracing import QUEUE_SPANS_MAX, SHUTDOWN_S, Tracing

REQUESTS = 530
"""More than a batch of 512, so that the exporter is at work while the service answers."""
ANSWER_S_MAX = 0.5
"""An answer waits for no collector: the shortest of its timeouts is 1.5 s."""
END_S_MAX = SHUTDOWN_S + 1.0
"""The interpreter's own end on a busy machine comes on top."""
COUNTED_WITHIN_S = 6.0
SPAN_BYTES_MAX = 6_000
"""Kept for one span, with its attributes and its resource shared."""


def notify(connection: http.client.HTTPConnection, number: int) -> tuple[int, float]:
    body = {"reservation_id": f"r-{number}", "user_id": "ana", "event_id": "e", "quantity": 1}
    began_s = time.perf_counter()
    connection.request("POST", "/notify", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status, time.perf_counter() - began_s


def spans(connection: http.client.HTTPConnection) -> tuple[float, float]:
    """Exported and dropped spans so far, by the service's counters."""
    connection.request("GET", "/metrics")
    values = parse(connection.getresponse().read().decode())
    dropped = sum(v for series, v in values.items() if series.startswith(SPANS_DROPPED))
    return values[SPANS_EXPORTED], dropped


@pytest.mark.parametrize("kind", DEAD)
def test_a_dead_collector_costs_spans_and_nothing_else(kind: str) -> None:
    """Every request gets a fast response, and SIGTERM ends the service within two seconds with exit code 0."""
    with DEAD[kind]() as endpoint, running(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as (process, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        answers = [notify(connection, number) for number in range(REQUESTS)]
        exported, _ = spans(connection)
        connection.close()
        began_s = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=END_S_MAX + 5)
        ended_s = time.perf_counter() - began_s
    assert {status for status, _ in answers} == {200}
    assert max(took_s for _, took_s in answers) < ANSWER_S_MAX
    assert exported == 0
    assert process.returncode == 0, told
    assert ended_s < END_S_MAX


@pytest.mark.parametrize("kind", ["refused", "black-holed"])
def test_spans_for_a_dead_collector_are_counted(kind: str) -> None:
    """A batch that could not be sent counts as dropped on /metrics soon after its timeout."""
    with DEAD[kind]() as endpoint, running(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as (_, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        for number in range(10):
            notify(connection, number)
        until_s = time.monotonic() + COUNTED_WITHIN_S
        while spans(connection) != (0, 10) and time.monotonic() < until_s:
            time.sleep(0.1)
        counted = spans(connection)
        connection.close()
    assert counted == (0, 10)


class Hanging(SpanExporter):
    """Accepts a batch, and returns once it is released."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def export(self, spans: object) -> SpanExportResult:
        self.release.wait(30)
        return SpanExportResult.FAILURE


def test_a_dead_collector_fills_a_bounded_queue_and_no_more() -> None:
    """Of three queues' worth of spans, two are dropped and counted, and memory holds one."""
    metrics, hanging, memory = Metrics(), Hanging(), psutil.Process().memory_info
    tracing = Tracing("notifications", None, {}, metrics)
    tracing.export_to(hanging, metrics)
    before = memory().rss
    for _ in range(3 * QUEUE_SPANS_MAX):
        tracing.start("POST /notify", SpanKind.SERVER, {"http.route": "/notify"}).end()
    grown = memory().rss - before
    hanging.release.set()
    tracing.shutdown()
    dropped = metrics.registry.get_sample_value(SPANS_DROPPED, {"reason": "queue_full"})
    assert dropped is not None
    # a batch of 512 is on its way, another may have been taken out
    assert 2 * QUEUE_SPANS_MAX - 2 * 512 <= dropped <= 2 * QUEUE_SPANS_MAX
    assert grown < QUEUE_SPANS_MAX * SPAN_BYTES_MAX
