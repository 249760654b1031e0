"""The collector and the decoder against the exporter that the services use."""

import asyncio
import gzip
import io
from pathlib import Path

import aiohttp
import duckdb
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from aguante.collect.otlp_collector import BODY_MAX_BYTES, Collector
from aguante.collect.span_decoder import decode_spans
from aguante.run_folder.folder import RunFolder


def export_two_spans(endpoint: str, compression: Compression) -> str:
    """Export a request and its failing attempt separately; returns the trace id."""
    provider = TracerProvider(
        resource=Resource({"service.name": "payments", "service.instance.id": "payments-1"}),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", compression=compression, timeout=5)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    with (
        tracer.start_as_current_span("POST /pay", kind=SpanKind.SERVER) as outer,
        tracer.start_as_current_span("charge", kind=SpanKind.CLIENT) as inner,
    ):
        inner.set_attribute("aguante.link", "payments-db")
        inner.set_attribute("error.type", "timeout")
        inner.set_status(Status(StatusCode.ERROR))
        inner.add_event("retry", {"aguante.attempt": 2})
    provider.shutdown()
    return f"{outer.get_span_context().trace_id:032x}"


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
async def test_exported_spans_become_rows(tmp_path: Path, compression: Compression) -> None:
    """From the SDK over HTTP to Parquet, with and without gzip."""
    folder = RunFolder(tmp_path)
    async with Collector(folder.otlp) as collector:
        trace_id = await asyncio.to_thread(export_two_spans, collector.endpoint, compression)
    assert (collector.requests, collector.refused) == (2, 0)
    assert collector.bytes == folder.otlp.stat().st_size - 2 * 4
    report = await asyncio.to_thread(decode_spans, folder)
    assert (report.spans, report.bodies, report.undecodable, report.cut_bytes) == (2, 2, 0, 0)
    rows = await asyncio.to_thread(_rows, folder)
    assert rows == [
        (trace_id, "payments-1", "server", "unset", "", "", []),
        (trace_id, "payments-1", "client", "error", "timeout", "payments-db", ["retry"]),
    ]


def _rows(folder: RunFolder) -> list[tuple[object, ...]]:
    with duckdb.connect() as db:
        return (
            db.read_parquet(str(folder.spans))
            .project(
                "trace_id, instance, kind, status, error_type, link, "
                "json_extract_string(events, '$[*].name')"
            )
            .fetchall()
        )


async def test_an_invalid_export_is_refused(tmp_path: Path) -> None:
    """JSON and bodies beyond the limit are not stored; the file stays valid."""
    path = tmp_path / "otlp.bin"
    async with Collector(path) as collector, aiohttp.ClientSession() as http:
        url = f"{collector.endpoint}/v1/traces"
        async with http.post(url, json={}) as response:
            assert response.status == 415
        headers = {"Content-Type": "application/x-protobuf"}
        async with http.post(
            url, data=io.BytesIO(bytes(BODY_MAX_BYTES + 1)), headers=headers
        ) as response:
            assert response.status == 413
        bomb = gzip.compress(bytes(4 * BODY_MAX_BYTES))
        zipped = headers | {"Content-Encoding": "gzip"}
        async with http.post(url, data=bomb, headers=zipped) as response:
            assert response.status in (400, 413)
    assert (collector.requests, path.read_bytes()) == (0, b"")


async def test_many_exporters_at_once_do_not_mix_their_frames(tmp_path: Path) -> None:
    """Forty concurrent bodies of different sizes are all stored completely."""
    path = tmp_path / "otlp.bin"
    bodies = [bytes([n]) * (n * 1000 + 1) for n in range(40)]
    headers = {"Content-Type": "application/x-protobuf"}
    async with Collector(path) as collector, aiohttp.ClientSession() as http:

        async def send(body: bytes) -> int:
            url = f"{collector.endpoint}/v1/traces"
            async with http.post(url, data=body, headers=headers) as response:
                assert await response.read() == b""
                return response.status

        assert set(await asyncio.gather(*map(send, bodies))) == {200}
    raw = path.read_bytes()
    found = []
    while raw:
        length = int.from_bytes(raw[:4], "big")
        found.append(raw[4 : 4 + length])
        raw = raw[4 + length :]
    assert sorted(found) == sorted(bodies)
