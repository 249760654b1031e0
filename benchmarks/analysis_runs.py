"""Generates run folders of any size with DuckDB, for ``benchmarks.analysis``."""

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from aguante.clients.otlp_frames import frame
from aguante.experiment import load_experiment
from aguante.plan.build import build_plan
from aguante.plan.plan import Plan
from aguante.run_folder.events import (
    CollectorClosed,
    FaultChanged,
    LoadFinished,
    RunEvent,
    RunStarted,
    Settled,
)
from aguante.run_folder.folder import RunFolder
from aguante.testbed.testbed_file import load_testbed
from aguante.testbed.testbed_spec import TestbedSpec

ROOT = Path(__file__).parents[1]
T0_NS = 1_700_000_000_000_000_000
LENGTH_S = 30.0

_RECORDS = """
COPY (
    WITH arrivals AS (
        SELECT i AS seq, i * $length_s / $n AS at_s, i % 4 = 3 AS reads, hash(i) % 1000 / 100 AS noise
        FROM range($n) AS t(i)
    ), answered AS (
        SELECT *, CASE WHEN at_s < 8 OR at_s >= 21.5 OR reads THEN 200 WHEN at_s < 9 THEN 504
                       WHEN at_s < 11 THEN 429 ELSE 503 END AS status FROM arrivals
    )
    SELECT seq, CASE WHEN reads THEN 'read_event' ELSE 'reserve' END AS operation, at_s AS intended_s,
           at_s + 0.001 AS started_s, CASE status WHEN 504 THEN 3010 ELSE 20 END + noise AS latency_ms,
           status, CASE status WHEN 200 THEN '' WHEN 429 THEN 'gateway' ELSE 'reservations' END AS origin,
           CASE WHEN status IN (503, 504) THEN 'reservations-payments' ELSE '' END AS link,
           CASE status WHEN 200 THEN '' WHEN 429 THEN 'semaphore_full' WHEN 504 THEN 'timeout'
                ELSE 'breaker_open' END AS mechanism,
           status <> 200 AS definite, false AS settled, lpad(to_hex(seq), 32, '0') AS trace_id,
           'key-' || seq AS idempotency_key, 'r-' || seq AS reservation_id, 'event-1' AS event_id
    FROM answered
) TO '{target}' (FORMAT json)
"""
_SPANS = """
COPY (
    SELECT r.trace_id, lpad(to_hex(r.seq * 16 + k), 16, '0') AS span_id, '' AS parent_id,
           CASE k % 2 WHEN 0 THEN 'reservations' ELSE 'gateway' END AS service, 'x-1' AS instance,
           'POST /pay' AS name, CASE k % 2 WHEN 0 THEN 'client' ELSE 'server' END AS kind,
           ($t0 + r.intended_s * 1e9)::BIGINT AS start_ns,
           ($t0 + (r.intended_s + r.latency_ms / 1000) * 1e9)::BIGINT AS end_ns,
           'unset' AS status, r.mechanism AS error_type,
           CASE k % 2 WHEN 0 THEN 'reservations-payments' ELSE '' END AS link, 1 AS attempt,
           r.status AS http_status, '' AS route, r.origin, '' AS error_link, r.reservation_id,
           '' AS run_id, '' AS experiment, '' AS phase,
           CASE WHEN k >= 6 AND k % 2 = 0 THEN 'postgresql' ELSE '' END AS db_system,
           CASE WHEN k = 0 AND r.status = 503 THEN '[{"name":"call.rejected","at_ns":' || start_ns
                || ',"attributes":{"aguante.link":"reservations-payments","error.type":"breaker_open"}}]'
                ELSE '[]' END AS events, '[]' AS links
    FROM read_json($records, format = 'newline_delimited') AS r, range($per) AS s(k)
) TO '{target}' (FORMAT parquet)
"""


_STEPS = (
    ("", "PENDING"),
    ("PENDING", "RESERVED"),
    ("RESERVED", "CHARGED"),
    ("CHARGED", "CONFIRMED"),
)
_AT = "TIMESTAMPTZ '2026-01-02 03:04:05.678+00'"
TABLES = {
    "reservations.sagas": "reservation_id, idempotency_key, 'u' AS user_id, event_id, 1::INTEGER AS quantity,"
    f" 'CONFIRMED' AS state, 4::INTEGER AS version, {_AT} AS lease_until, true AS notification_sent,"
    f" {_AT} AS updated_at",
    "reservations.saga_log": f"reservation_id, (step + 1)::INTEGER AS version, {_AT} AS at,"
    f" {[each[0] for each in _STEPS]}[step + 1] AS from_state,"
    f" {[each[1] for each in _STEPS]}[step + 1] AS to_state, '-' AS reason",
    "reservations.outbox": f"reservation_id, 0::INTEGER AS attempts, {_AT} AS delivered_at",
    "reservations._snapshot": f"DISTINCT {_AT} AS taken_at",
    "inventory.events": "event_id, 10000000::INTEGER AS capacity,"
    " (10000000 - count(*))::INTEGER AS available",
    "inventory.allocations": "reservation_id, event_id, 1::INTEGER AS quantity, 'ALLOCATED' AS state",
    "payments.charges": "reservation_id, 'u' AS user_id, 2500::BIGINT AS amount_cents, 'CAPTURED' AS state",
}
"""The columns of each table, selected from the confirmed reservations."""
_SOURCES = {"reservations.saga_log": "confirmed, range(4) AS s(step)"}
_ENDINGS = {"inventory.events": " GROUP BY event_id"}


def write_run(
    folder: RunFolder, requests: int, spans_per_request: int, *, with_tables: bool = False
) -> None:
    """Write this many records and spans, and with ``with_tables`` the final tables."""
    with duckdb.connect() as db:
        parameters: dict[str, object] = {"n": requests, "length_s": LENGTH_S}
        db.execute(_RECORDS.replace("{target}", str(folder.records)), parameters)
        parameters = {"t0": T0_NS, "records": str(folder.records), "per": spans_per_request}
        db.execute(_SPANS.replace("{target}", str(folder.spans)), parameters)
        if with_tables:
            _write_tables(db, folder)
    folder.events.write_text("".join(f"{each.model_dump_json()}\n" for each in _events(requests)))


def _write_tables(db: duckdb.DuckDBPyConnection, folder: RunFolder) -> None:
    db.read_json(str(folder.records), format="newline_delimited").create("records")
    confirmed = "operation = 'reserve' AND status = 200"
    db.table("records").filter(confirmed).create_view("confirmed")
    schema: dict[str, dict[str, str]] = {}
    for name, columns in TABLES.items():
        source = _SOURCES.get(name, "confirmed")
        rows = db.sql(f"SELECT {columns} FROM {source}{_ENDINGS.get(name, '')}")  # noqa: S608  our own
        schema[name] = dict(zip(rows.columns, map(str, rows.types), strict=True))
        rows.write_csv(str(folder.tables / f"{name}.csv"))
    text = json.dumps(schema).replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")
    (folder.tables / "schema.json").write_text(text)


def _events(requests: int) -> list[RunEvent]:
    times = {"applied": 8.0, "undone": 20.0, "verified": 20.0}
    return [
        RunStarted(epoch_ns=T0_NS),
        *(
            FaultChanged.model_validate(
                {"id": "slow", "action": action, "planned_s": at_s, "at_s": at_s}
            )
            for action, at_s in times.items()
        ),
        LoadFinished(offered=requests, sent=requests, shed=0, completed=requests, exit_code=0),
        Settled(settled=True, took_s=1.0, unsettled=0),
        CollectorClosed(requests=1, bytes=1, spans_dropped=0),
    ]


def planned(requests: int) -> tuple[Plan, TestbedSpec]:
    """The plan of payments-slow at the rate of this many requests in 30 s."""
    spec = load_testbed(ROOT / "testbed.yaml")
    experiment = load_experiment(ROOT / "chaos-experiments" / "payments-slow.yaml", spec)
    plan = build_plan(experiment, spec, run_id="analysis", seed=1, source="payments-slow.yaml")
    load = plan.load.model_copy(update={"rate_rps": requests / LENGTH_S})
    return plan.model_copy(update={"load": load}), spec


SPANS_PER_BODY = 512
"""The batch size of the services' exporter."""


def otlp_bodies(spans: int) -> Iterator[bytes]:
    """Yield framed OTLP bodies as a run collects them, with the attributes of a call's span."""
    for first in range(0, spans, SPANS_PER_BODY):
        request = ExportTraceServiceRequest()
        group = request.resource_spans.add()
        for name in ("service.name", "service.instance.id"):
            group.resource.attributes.add(key=name).value.string_value = "reservations-1"
        scope = group.scope_spans.add()
        for seq in range(first, min(first + SPANS_PER_BODY, spans)):
            _add_span(scope, seq)
        yield frame(request.SerializeToString())


def _add_span(scope: ScopeSpans, seq: int) -> None:
    span = scope.spans.add(
        name="POST /pay",
        kind=Span.SPAN_KIND_CLIENT,
        trace_id=(seq // 13).to_bytes(16, "big"),
        span_id=seq.to_bytes(8, "big"),
        parent_span_id=(seq // 2).to_bytes(8, "big"),
        start_time_unix_nano=T0_NS + seq * 1000,
        end_time_unix_nano=T0_NS + seq * 1000 + 500,
    )
    for name in _ATTRIBUTES:
        span.attributes.add(key=name).value.string_value = f"a value of {name}"
    span.attributes.add(key="http.response.status_code").value.int_value = 200
    span.attributes.add(key="aguante.attempt").value.int_value = 1


_ATTRIBUTES = (
    *("http.request.method", "url.template", "server.address", "aguante.link"),
    *("aguante.reservation_id", "aguante.run_id", "aguante.experiment", "aguante.phase"),
)
