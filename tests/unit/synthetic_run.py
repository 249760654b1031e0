"""Writes a run folder as a real run of payments-slow would leave it, from a small story told in numbers.

The fault holds from 8 s to 20 s. Reservations meant to start in its first second wait for payments and
end as 504 after 3 s; then the gateway is full (429) until the breaker opens 3.1 s after the fault; from
then on reservations are refused in 30 ms until it closes 1.5 s after the fault.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import msgspec

from aguante.load_protocol.records import RequestRecord
from aguante.plan.plan import Plan
from aguante.run_folder.events import (
    CollectorClosed,
    FaultChanged,
    LoadFinished,
    RunEvent,
    RunStarted,
    Settled,
    Stopped,
)
from aguante.run_folder.folder import RunFolder

T0_NS = 1_700_000_000_000_000_000
RATE_RPS = 60
LINK = "reservations-payments"
Span = dict[str, object]
Change = Callable[[RequestRecord], RequestRecord | None]


@dataclass
class Story:
    """What to write; change a field to tell another story."""

    opened_s: float = 11.1
    closed_s: float = 21.5
    fault_s: tuple[float, float] = (8.0, 20.0)
    end_s: float = 30.0
    onset_error_s: float = 0.01
    spans_dropped: int = 0
    settled: bool = True
    verified: bool = True
    change: Change = lambda record: record
    """Last word on each record; None leaves it out."""
    change_span: Callable[[Span], Span | None] = lambda each: each
    """Last word on each span; None leaves it out."""
    with_load_event: bool = True
    with_undone: bool = True
    """False: healing noted only that the fault is verified undone."""
    stopped_s: float | None = None
    stray_charges: int = 0
    with_spans: bool = True
    rate_rps: int = RATE_RPS
    cut_last_record: bool = False
    spans: list[Span] = field(default_factory=list)
    """More spans, see ``span``."""
    rows: dict[str, list[tuple[object, ...]]] = field(default_factory=dict)


def write_run(runs: Path, plan: Plan, story: Story | None = None) -> RunFolder:
    """A whole run folder below ``runs``."""
    story = story or Story()
    folder = RunFolder.create(runs, plan.run_id)
    records = [r for r in map(story.change, _records(story)) if r is not None]
    encoded = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    folder.records.write_bytes(
        encoded + (b'{"seq": 99999, "opera' if story.cut_last_record else b"")
    )
    folder.events.write_text("".join(f"{e.model_dump_json()}\n" for e in _events(story, records)))
    if story.with_spans:
        spans = [span for record in records for span in _trace(record, story)]
        kept = [each for each in map(story.change_span, [*spans, *story.spans]) if each is not None]
        _write_spans(folder.spans, kept)
    _write_tables(folder, records, story)
    folder.plan.write_text(plan.model_dump_json())
    return folder


def _records(story: Story) -> Iterator[RequestRecord]:
    for seq in range(round(story.rate_rps * story.end_s)):
        at_s = seq / story.rate_rps
        operation = "read_event" if seq % 4 == 3 else "reserve"
        status, mechanism, latency_ms = _outcome(at_s, operation, story)
        bad = status != 200
        origin = {429: "gateway", 200: ""}.get(status, "reservations")
        yield RequestRecord(
            seq=seq,
            operation=operation,
            intended_s=at_s,
            started_s=at_s + 0.001,
            latency_ms=latency_ms,
            status=status,
            origin=origin,
            link=LINK if status in (503, 504) else "",
            mechanism=mechanism,
            definite=bad,
            settled=False,
            trace_id=f"{seq:032x}",
            idempotency_key=f"key-{seq}" if operation == "reserve" else "",
            reservation_id=f"r-{seq}" if operation == "reserve" and status != 429 else "",
            event_id="event-1",
        )


def _outcome(at_s: float, operation: str, story: Story) -> tuple[int, str, float]:
    start_s, _ = story.fault_s
    reserve = operation == "reserve"
    if start_s <= at_s < start_s + 1 and reserve:
        return 504, "timeout", 3010.0 + at_s
    if start_s + 1 <= at_s < story.opened_s:
        return 429, "semaphore_full", 2.0
    if story.opened_s <= at_s < story.closed_s and reserve:
        return 503, "breaker_open", 30.0 + at_s / 10
    return 200, "", (25.0 if reserve else 8.0) + (seq_noise(at_s))


def seq_noise(at_s: float) -> float:
    """A few milliseconds that differ from request to request."""
    return (at_s * 997) % 7


def _events(story: Story, records: list[RequestRecord]) -> Iterator[RunEvent]:
    start_s, end_s = story.fault_s
    yield RunStarted(epoch_ns=T0_NS)
    at_s = start_s + story.onset_error_s
    evidence = "toxic latency on reservations-payments"
    yield FaultChanged(id="slow", action="applied", planned_s=start_s, at_s=at_s, evidence=evidence)
    if story.stopped_s is not None:
        yield Stopped(at_s=story.stopped_s, reason="stopped by a signal")
    if story.with_undone:
        yield FaultChanged(id="slow", action="undone", planned_s=end_s, at_s=end_s)
    if story.verified:
        yield FaultChanged(id="slow", action="verified", planned_s=end_s, at_s=end_s + 0.01)
    offered = round(story.rate_rps * story.end_s)
    sent = len(records)
    if story.with_load_event:
        yield LoadFinished(offered=offered, sent=sent, shed=0, completed=sent, exit_code=0)
    yield Settled(settled=story.settled, took_s=1.2, unsettled=0 if story.settled else 3)
    yield CollectorClosed(requests=10, bytes=1000, spans_dropped=story.spans_dropped)


def span(record: RequestRecord, **values: object) -> Span:
    """One span of a record's trace; ``start_s`` and ``ms`` place it."""
    start_s = float(str(values.pop("start_s", record.started_s)))
    ms = float(str(values.pop("ms", record.latency_ms)))
    start_ns = T0_NS + round(start_s * 1e9)
    return {
        "trace_id": record.trace_id,
        "span_id": f"{record.seq:08x}{len(str(values)):08x}",
        "parent_id": "",
        "kind": "server",
        "start_ns": start_ns,
        "end_ns": start_ns + round(ms * 1e6),
        "status": "unset",
        "events": "[]",
        "db_system": "",
        **values,
    }


def _trace(record: RequestRecord, story: Story) -> Iterator[Span]:
    wrong = {"error_type": record.mechanism, "status": "error"} if record.status != 200 else {}
    gateway = {"service": "gateway", "instance": "gateway-1", "http_status": record.status, **wrong}
    yield span(record, name="POST /reserve", **gateway)
    if record.operation != "reserve" or record.status == 429:
        return
    own = {"service": "reservations", "instance": "reservations-1"}
    notes = json.dumps(_notes(record, story))
    yield span(
        record, name="POST /reserve", **own, http_status=record.status, events=notes, **wrong
    )
    if record.mechanism != "breaker_open":
        pay = {"kind": "client", "link": LINK, "attempt": 1, **own, **wrong}
        yield span(record, name="POST /pay", **pay, ms=min(3000.0, record.latency_ms - 5))


def _notes(record: RequestRecord, story: Story) -> list[dict[str, object]]:
    at_ns = T0_NS + round(record.started_s * 1e9)
    notes: list[dict[str, object]] = []
    if record.mechanism == "breaker_open":
        refused = {"aguante.link": LINK, "error.type": "breaker_open"}
        notes.append({"name": "call.rejected", "at_ns": at_ns, "attributes": refused})
    first_timeout = record.mechanism == "timeout" and record.seq == 8 * story.rate_rps
    if first_timeout:
        notes.append(_transition(story.opened_s, "closed", "open"))
    good_after_s = record.intended_s - story.closed_s if record.status == 200 else -1
    if 0 <= good_after_s < 1 / story.rate_rps:
        notes.append(_transition(story.closed_s - 0.03, "open", "half_open"))
        notes.append(_transition(story.closed_s, "half_open", "closed"))
    return notes


def _transition(at_s: float, before: str, after: str) -> dict[str, object]:
    attributes = {"aguante.link": LINK, "breaker.from": before, "breaker.to": after}
    at_ns = T0_NS + round(at_s * 1e9)
    return {"name": "breaker.transition", "at_ns": at_ns, "attributes": attributes}


TEXTS = (
    *("trace_id", "span_id", "parent_id", "service", "instance", "name", "kind", "status"),
    *("error_type", "link", "route", "origin", "error_link", "reservation_id", "run_id"),
    *("experiment", "phase", "db_system", "events", "links"),
)
WHOLE = {"start_ns": "BIGINT", "end_ns": "BIGINT", "attempt": "INTEGER", "http_status": "INTEGER"}
SPAN_TYPES = dict.fromkeys(TEXTS, "VARCHAR") | WHOLE


def _write_spans(path: Path, spans: list[Span]) -> None:
    lines = path.with_suffix(".jsonl")
    lines.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in spans))
    with duckdb.connect() as connection:
        rows = connection.read_json(str(lines), columns=SPAN_TYPES, format="newline_delimited")
        rows.write_parquet(str(path))
    lines.unlink()


AT = "2026-01-02 03:04:05.678+00"
TABLES = {
    "reservations.sagas": {
        "reservation_id": "VARCHAR",
        "idempotency_key": "VARCHAR",
        "user_id": "VARCHAR",
        "event_id": "VARCHAR",
        "quantity": "INTEGER",
        "state": "VARCHAR",
        "version": "INTEGER",
        "lease_until": "TIMESTAMPTZ",
        "notification_sent": "BOOLEAN",
        "updated_at": "TIMESTAMPTZ",
    },
    "reservations.saga_log": {
        "reservation_id": "VARCHAR",
        "version": "INTEGER",
        "at": "TIMESTAMPTZ",
        "from_state": "VARCHAR",
        "to_state": "VARCHAR",
        "reason": "VARCHAR",
    },
    "reservations.outbox": {
        "reservation_id": "VARCHAR",
        "attempts": "INTEGER",
        "delivered_at": "TIMESTAMPTZ",
    },
    "reservations._snapshot": {"taken_at": "TIMESTAMPTZ"},
    "inventory.events": {"event_id": "VARCHAR", "capacity": "INTEGER", "available": "INTEGER"},
    "inventory.allocations": {
        "reservation_id": "VARCHAR",
        "event_id": "VARCHAR",
        "quantity": "INTEGER",
        "state": "VARCHAR",
    },
    "payments.charges": {
        "reservation_id": "VARCHAR",
        "user_id": "VARCHAR",
        "amount_cents": "BIGINT",
        "state": "VARCHAR",
    },
}


def _write_tables(folder: RunFolder, records: list[RequestRecord], story: Story) -> None:
    ok = [r for r in records if r.operation == "reserve" and r.status == 200]
    bad = [r for r in records if r.operation == "reserve" and r.status in (503, 504)]
    rows: dict[str, list[tuple[object, ...]]] = {
        "reservations.sagas": [_saga(r, "CONFIRMED") for r in ok]
        + [_saga(r, "COMPENSATED") for r in bad],
        "reservations.saga_log": [
            step for r in ok for step in _steps(r, "RESERVED", "CHARGED", "CONFIRMED")
        ]
        + [step for r in bad for step in _steps(r, "COMPENSATING", "COMPENSATING", "COMPENSATED")],
        "reservations.outbox": [(r.reservation_id, 0, AT) for r in ok],
        "reservations._snapshot": [(AT,)],
        "inventory.events": [("event-1", 100_000, 100_000 - len(ok))],
        "inventory.allocations": [(r.reservation_id, "event-1", 1, "ALLOCATED") for r in ok]
        + [(r.reservation_id, "event-1", 1, "RELEASED") for r in bad],
        "payments.charges": [(r.reservation_id, "u", 2500, "CAPTURED") for r in ok]
        + [(r.reservation_id, "u", 2500, "REFUNDED") for r in bad if r.status == 504]
        + [(f"stray-{n}", "u", 2500, "CAPTURED") for n in range(story.stray_charges)],
    } | story.rows
    for name, columns in TABLES.items():
        lines = [",".join(columns), *(",".join(map(str, row)) for row in rows[name])]
        (folder.tables / f"{name}.csv").write_text("\n".join(lines) + "\n")
    (folder.tables / "schema.json").write_text(json.dumps(TABLES))


def _saga(record: RequestRecord, state: str) -> tuple[object, ...]:
    told = "true" if state == "CONFIRMED" else "false"
    order = (record.reservation_id, record.idempotency_key, "u", "event-1", 1)
    return (*order, state, 4, "", told, AT)


def _steps(record: RequestRecord, *states: str) -> list[tuple[object, ...]]:
    """A saga's log; one that stays where it is was taken over."""
    path = ["", "PENDING", *states]
    return [
        (record.reservation_id, at, AT, before, to, "lease taken over" if before == to else "-")
        for at, (before, to) in enumerate(itertools.pairwise(path), start=1)
    ]
