"""Raw OTLP bodies become rows."""

import json
from pathlib import Path

import duckdb
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from otlp_bodies import body, folder_with, frame, put, read, span

from aguante.collect.span_decoder import COLUMNS, SpanRow, decode_spans


def test_the_columns_and_their_types_are_those_that_the_measures_read(tmp_path: Path) -> None:
    """Even if nothing was received."""
    folder = folder_with(tmp_path, b"")
    folder.otlp.unlink()
    assert decode_spans(folder).spans == 0
    with duckdb.connect() as db:
        table = db.read_parquet(str(folder.spans))
        assert dict(zip(table.columns, map(str, table.types), strict=True)) == COLUMNS
    assert list(COLUMNS) == list(SpanRow.__struct_fields__)


def test_a_client_span_is_an_attempt_over_a_link(tmp_path: Path) -> None:
    """With the link, the number and the outcome of the attempt."""
    attempt = span(
        7,
        kind=Span.SPAN_KIND_CLIENT,
        parent_span_id=bytes(7) + b"\x01",
        attributes={
            "aguante.link": "reservations-payments",
            "aguante.attempt": 2,
            "error.type": "timeout",
            "url.template": "/pay",
            "aguante.run_id": "r",
            "aguante.experiment": "e",
            "aguante.phase": "fault",
        },
    )
    attempt.status.code = Status.STATUS_CODE_ERROR
    folder = folder_with(tmp_path, frame(body(attempt, service="reservations")))
    decode_spans(folder)
    (row,) = read(folder)
    assert row == {
        "trace_id": "0" * 31 + "1",
        "span_id": "0" * 15 + "7",
        "parent_id": "0" * 15 + "1",
        "service": "reservations",
        "instance": "reservations-1",
        "name": "POST /pay",
        "kind": "client",
        "start_ns": 1007,
        "end_ns": 2007,
        "status": "error",
        "error_type": "timeout",
        "link": "reservations-payments",
        "attempt": 2,
        "http_status": None,
        "route": "/pay",
        "origin": "",
        "error_link": "",
        "reservation_id": "",
        "run_id": "r",
        "experiment": "e",
        "phase": "fault",
        "db_system": "",
        "events": "[]",
        "links": "[]",
    }


def test_a_server_spans_link_is_where_its_failure_came_from(tmp_path: Path) -> None:
    """There the same attribute is the link of the error and does not count as an attempt."""
    answered = span(
        1,
        kind=Span.SPAN_KIND_SERVER,
        attributes={
            "aguante.link": "reservations-payments",
            "aguante.origin": "reservations",
            "http.response.status_code": 503,
            "http.route": "/reserve",
            "aguante.reservation_id": "res-1",
        },
    )
    folder = folder_with(tmp_path, frame(body(answered)))
    decode_spans(folder)
    (row,) = read(folder, "kind, link, error_link, origin, http_status, route, reservation_id")
    assert list(row.values()) == [
        "server", "", "reservations-payments", "reservations", 503, "/reserve", "res-1",
    ]  # fmt: skip


def test_events_and_links_are_stored_as_json(tmp_path: Path) -> None:
    """Names, times and attributes of events; traces and spans of links."""
    parent = span(1)
    event = parent.events.add(name="breaker.transition", time_unix_nano=1500)
    put(event.attributes, {"aguante.link": "reservations-payments", "breaker.to": "open"})
    parent.links.add(trace_id=bytes(15) + b"\x09", span_id=bytes(7) + b"\x08")
    folder = folder_with(tmp_path, frame(body(parent)))
    decode_spans(folder)
    (row,) = read(folder, "events, links")
    assert json.loads(str(row["events"])) == [
        {
            "name": "breaker.transition",
            "at_ns": 1500,
            "attributes": {"aguante.link": "reservations-payments", "breaker.to": "open"},
        }
    ]
    assert json.loads(str(row["links"])) == [
        {"trace_id": "0" * 31 + "9", "span_id": "0" * 15 + "8"}
    ]


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_an_incomplete_last_frame_is_ignored(tmp_path: Path, cut: int) -> None:
    """After a kill during a write, everything before it is read and the loss is reported."""
    whole, torn = frame(body(span(1))), frame(body(span(2)))
    folder = folder_with(tmp_path, whole + torn[:-cut])
    report = decode_spans(folder)
    assert (report.spans, report.bodies, report.cut_bytes) == (1, 1, len(torn) - cut)


def test_an_incomplete_frame_header_is_ignored(tmp_path: Path) -> None:
    """Even the length may be incomplete."""
    folder = folder_with(tmp_path, frame(body(span(1))) + b"\x00\x00")
    assert decode_spans(folder).cut_bytes == 2


def test_an_invalid_body_is_counted_and_skipped(tmp_path: Path) -> None:
    """Only its own spans are lost."""
    raw = frame(b"\xff\xff\xff") + frame(body(span(1)))
    report = decode_spans(folder_with(tmp_path, raw))
    assert (report.spans, report.bodies, report.undecodable) == (1, 2, 1)


def test_a_span_that_was_exported_twice_is_one_row(tmp_path: Path) -> None:
    """An exporter repeats a batch whose response came too late."""
    raw = frame(body(span(1), span(2))) * 2
    assert decode_spans(folder_with(tmp_path, raw)).spans == 2


def test_decoding_again_gives_the_same(tmp_path: Path) -> None:
    """Decoding can be repeated and leaves no temporary file."""
    folder = folder_with(tmp_path, frame(body(span(2), span(1))))
    decode_spans(folder)
    first = read(folder)
    decode_spans(folder)
    assert read(folder) == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["otlp-traces.bin", "spans.parquet"]
