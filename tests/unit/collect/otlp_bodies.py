"""Handmade OTLP bodies, and a run folder with them."""

from pathlib import Path

import duckdb
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aguante.run_folder.folder import RunFolder

Attributes = dict[str, str | int]


def span(number: int, *, trace: int = 1, **fields: object) -> Span:
    made = Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        name=str(fields.pop("name", "POST /pay")),
        start_time_unix_nano=1000 + number,
        end_time_unix_nano=2000 + number,
    )
    attributes: Attributes = fields.pop("attributes", {})  # type: ignore[assignment]
    put(made.attributes, attributes)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def put(target: object, attributes: Attributes) -> None:
    for key, value in attributes.items():
        pair = target.add(key=key)  # type: ignore[attr-defined]
        if isinstance(value, int):
            pair.value.int_value = value
        else:
            pair.value.string_value = value


def body(*spans: Span, service: str = "payments") -> bytes:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    put(
        resource_spans.resource.attributes,
        {"service.name": service, "service.instance.id": f"{service}-1"},
    )
    resource_spans.scope_spans.add().spans.extend(spans)
    return request.SerializeToString()


def frame(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def folder_with(tmp_path: Path, raw: bytes) -> RunFolder:
    folder = RunFolder(tmp_path)
    folder.otlp.write_bytes(raw)
    return folder


def read(folder: RunFolder, columns: str = "*") -> list[dict[str, object]]:
    with duckdb.connect() as db:
        relation = db.read_parquet(str(folder.spans)).project(columns)
        return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
