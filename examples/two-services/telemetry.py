"""Ordinary tracing: the OpenTelemetry SDK, its exporter, its semantic conventions."""

import atexit

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def tracer_of(service: str) -> trace.Tracer:
    """Return a tracer that exports to ``OTEL_EXPORTER_OTLP_ENDPOINT`` twice a second."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=500))
    atexit.register(provider.shutdown)
    return provider.get_tracer(service)
