"""Decodes raw OTLP bodies into ``spans.parquet``, one row per span.

Rows pass through a temporary file of JSON lines: 50,000 spans take about 1.2 s, most of it in Python's loop over
the attributes.
"""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from aguante.clients.otlp_frames import FRAME_HEADER_BYTES
from aguante.collect.disk_errors import refusals_as_os_error
from aguante.core.duckdb_paths import literal_path
from aguante.run_folder.folder import RunFolder

Scalar = str | bool | int | float
KINDS = {
    Span.SPAN_KIND_INTERNAL: "internal",
    Span.SPAN_KIND_SERVER: "server",
    Span.SPAN_KIND_CLIENT: "client",
    Span.SPAN_KIND_PRODUCER: "producer",
    Span.SPAN_KIND_CONSUMER: "consumer",
}
STATUSES = {Status.STATUS_CODE_OK: "ok", Status.STATUS_CODE_ERROR: "error"}


class SpanRow(msgspec.Struct, frozen=True, kw_only=True):
    """One span. A missing text is empty, a missing number null."""

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    instance: str
    name: str
    kind: str
    start_ns: int
    end_ns: int
    status: str
    error_type: str
    link: str
    """Client span: the link of the attempt. Internal span: the link of the failure that it records."""
    attempt: int | None
    http_status: int | None
    route: str
    origin: str
    error_link: str
    """Server span: the link that its failure came from."""
    reservation_id: str
    run_id: str
    experiment: str
    phase: str
    db_system: str
    events: str
    """JSON list of {name, at_ns, attributes}."""
    links: str
    """JSON list of {trace_id, span_id}."""


_DUCKDB_TYPES: dict[object, str] = {str: "VARCHAR", int: "BIGINT", int | None: "INTEGER"}
COLUMNS = {each.name: _DUCKDB_TYPES[each.type] for each in msgspec.structs.fields(SpanRow)}
"""Columns of ``spans.parquet`` with their DuckDB types."""


@dataclass
class DecodeReport:
    """Result of decoding the raw bodies; counted while the rows are streamed."""

    spans: int = 0
    """Rows in the Parquet file; a span that was exported several times has one."""
    bodies: int = 0
    undecodable: int = 0
    """Bodies that are not an ExportTraceServiceRequest; their spans are lost."""
    cut_bytes: int = 0
    """Size of an incomplete last frame."""


def decode_spans(folder: RunFolder) -> DecodeReport:
    """Write ``spans.parquet`` from the raw bodies; without any body the table is empty.

    Raises:
        OSError: the run folder cannot be read or written.
    """
    report = DecodeReport()
    encoder = msgspec.json.Encoder()
    with tempfile.NamedTemporaryFile(dir=folder.root, suffix=".jsonl") as lines:
        for body in _frames(folder.otlp, report):
            for row in _rows_of(body, report):
                lines.write(encoder.encode(row) + b"\n")
        lines.flush()
        report.spans = _to_parquet(Path(lines.name), folder.spans)
    return report


def _to_parquet(lines: Path, parquet: Path) -> int:
    with refusals_as_os_error(), duckdb.connect() as db:
        # An exporter whose request timed out sends the same batch again.
        db.read_json(literal_path(lines), columns=COLUMNS, format="newline_delimited").create_view(
            "spans"
        )
        unique = "SELECT DISTINCT ON (trace_id, span_id) * FROM spans ORDER BY start_ns, span_id"
        db.sql(unique).write_parquet(str(parquet))
        row = db.execute("SELECT count(*) FROM read_parquet(?)", [literal_path(parquet)]).fetchone()
    return int(row[0]) if row else 0


def bodies(path: Path) -> Iterator[bytes]:
    """Every complete OTLP body of ``otlp-traces.bin``, as received."""
    return _frames(path, DecodeReport())


def _frames(path: Path, report: DecodeReport) -> Iterator[bytes]:
    if not path.exists():
        return
    with path.open("rb") as file:
        while header := file.read(FRAME_HEADER_BYTES):
            length = int.from_bytes(header, "big")
            body = file.read(length) if len(header) == FRAME_HEADER_BYTES else b""
            if len(header) < FRAME_HEADER_BYTES or len(body) < length:
                report.cut_bytes = len(header) + len(body)
                return
            report.bodies += 1
            yield body


def _rows_of(body: bytes, report: DecodeReport) -> list[SpanRow]:
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        report.undecodable += 1
        return []
    rows = []
    for resource_spans in request.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        service = _text(resource, "service.name")
        instance = _text(resource, "service.instance.id")
        for scope_spans in resource_spans.scope_spans:
            rows += [_row(span, service, instance) for span in scope_spans.spans]
    return rows


def _row(span: Span, service: str, instance: str) -> SpanRow:
    has = _attributes(span.attributes)
    kind = KINDS.get(span.kind, "internal")
    link = _text(has, "aguante.link")
    return SpanRow(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        service=service,
        instance=instance,
        name=span.name,
        kind=kind,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        status=STATUSES.get(span.status.code, "unset"),
        error_type=_text(has, "error.type"),
        # One attribute has two meanings (services/CONTRACT.md): on a server span the link that its failure
        # came from, elsewhere the link of the attempt.
        link="" if kind == "server" else link,
        error_link=link if kind == "server" else "",
        attempt=_attempt(has),
        http_status=_number(has, "http.response.status_code"),
        route=_text(has, "http.route") or _text(has, "url.template"),
        origin=_text(has, "aguante.origin"),
        reservation_id=_text(has, "aguante.reservation_id"),
        run_id=_text(has, "aguante.run_id"),
        experiment=_text(has, "aguante.experiment"),
        phase=_text(has, "aguante.phase"),
        db_system=_text(has, "db.system.name"),
        events=_events(span),
        links=_links(span),
    )


def _attempt(has: dict[str, Scalar]) -> int | None:
    """``aguante.attempt``, else from OpenTelemetry's ``http.request.resend_count``."""
    resent = _number(has, "http.request.resend_count")
    return _number(has, "aguante.attempt") or (None if resent is None else resent + 1)


def _events(span: Span) -> str:
    if not span.events:
        return "[]"
    return _json(
        [
            {"name": e.name, "at_ns": e.time_unix_nano, "attributes": _attributes(e.attributes)}
            for e in span.events
        ]
    )


def _links(span: Span) -> str:
    if not span.links:
        return "[]"
    return _json([{"trace_id": k.trace_id.hex(), "span_id": k.span_id.hex()} for k in span.links])


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Scalar]:
    return {pair.key: _scalar(pair.value) for pair in pairs}


def _scalar(value: AnyValue) -> Scalar:
    which = value.WhichOneof("value")
    if which in ("string_value", "int_value", "bool_value", "double_value"):
        scalar: Scalar = getattr(value, which)
        return scalar
    # Lists and maps come only from other instrumentations; they are kept as readable text.
    return str(value).strip()


def _text(has: dict[str, Scalar], name: str) -> str:
    return str(has.get(name, ""))


def _number(has: dict[str, Scalar], name: str) -> int | None:
    value = has.get(name)
    return value if isinstance(value, int) else None
