"""All events of a run folder that concern one request, in order of time; and which request to show.

This module knows nothing about the system under test: tables are searched by their column ``reservation_id``, logs by
the trace and reservation ids in them.
"""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aguante.expectations.evidence import Row
from aguante.expectations.expectation import MOST_FREQUENT_CAUSE, Expectation
from aguante.measure.run_evidence import RunEvidence

LINES_MAX = 200_000
"""Lines of one log that are searched."""
TIME_COLUMNS = ("at", "updated_at", "created_at")
"""The first of these columns that a row has gives its time."""


@dataclass(frozen=True)
class TimelineEvent:
    """One thing that happened."""

    at_s: float
    """Seconds since t0."""
    source: str
    """Where it was recorded: ``client``, ``payments-1``, ``saga_log``, ``fault`` ..."""
    text: str


@dataclass(frozen=True)
class Subject:
    """One request of the load generator."""

    seq: int
    operation: str
    phase: str
    intended_s: float
    started_s: float
    ended_s: float
    status: int
    origin: str
    link: str
    mechanism: str
    trace_id: str
    reservation_id: str
    idempotency_key: str

    @property
    def outcome(self) -> str:
        """``504 timeout from reservations on reservations-payments``."""
        words = [str(self.status) if self.status else "no response", self.mechanism]
        words += [f"from {self.origin}"] if self.origin else []
        words += [f"on {self.link}"] if self.link else []
        return " ".join(word for word in words if word)


_COLUMNS = """
    SELECT seq, operation, phase, intended_s, started_s, ended_s, status, origin, link, mechanism,
           trace_id, reservation_id, idempotency_key
"""
_SUBJECT = f"{_COLUMNS} FROM requests AS r"
_BY_ID = """
    WHERE starts_with(trace_id, $id) OR starts_with(reservation_id, $id) OR idempotency_key = $id
    ORDER BY intended_s, seq LIMIT 20
"""
_OF_SECOND = f"""
    WHERE intended_s >= $second AND intended_s < $second + 1 AND status <> 200 {MOST_FREQUENT_CAUSE}
"""
_OF_PERIOD = f"""
    WHERE intended_s >= $from_s AND intended_s < $until_s AND status <> 200 {MOST_FREQUENT_CAUSE}
"""


def subjects_by_id(evidence: RunEvidence, wanted: str) -> list[Subject]:
    """Requests with this trace or reservation id (or its beginning), or this idempotency key."""
    return [Subject(*row) for row in evidence.rows(_SUBJECT + _BY_ID, id=wanted)]


def subject_of_second(evidence: RunEvidence, second: int) -> Subject | None:
    """The first request with the most frequent failure of a second."""
    return _first(evidence.rows(_SUBJECT + _OF_SECOND, second=second))


def subject_of(
    evidence: RunEvidence, asked: Expectation, within_s: tuple[float, float], *, met: bool
) -> Subject | None:
    """A request that shows why the expectation is met or unmet.

    Args:
        evidence: the run.
        asked: chooses the request; where it does not, the first failure of the most frequent cause is taken.
        within_s: where to look for that failure, seconds since t0.
        met: whether the expectation is met.
    """
    example = asked.example(met=met)
    if example is not None:
        return _first(evidence.rows(_COLUMNS + example.sql, **example.parameters))
    from_s, until_s = within_s
    return _first(evidence.rows(_SUBJECT + _OF_PERIOD, from_s=from_s, until_s=until_s))


def _first(rows: list[Row]) -> Subject | None:
    return Subject(*rows[0]) if rows else None


def timeline_of(evidence: RunEvidence, root: Path, subject: Subject) -> tuple[TimelineEvent, ...]:
    """Events from client, faults, spans, breakers, rows and logs, in order of time."""
    found = [
        *_client(subject),
        *_spans(evidence, subject),
        *_span_events(evidence),
        *_rows(evidence, root / "tables", subject),
        *_logs(evidence, root / "logs", subject),
    ]
    end_s = max(each.at_s for each in found)
    found += surroundings(evidence, subject.started_s, end_s)
    return tuple(sorted(found, key=lambda each: each.at_s))


def surroundings(evidence: RunEvidence, from_s: float, to_s: float) -> Iterator[TimelineEvent]:
    """Faults that were active in this time, with the driver's evidence, and every breaker transition in it."""
    for change in evidence.run_log.faults:
        undone_s = evidence.run_log.undone_s(change.id)
        held = change.at_s <= to_s and (undone_s is None or undone_s >= from_s)
        if held and change.action == "applied":
            yield TimelineEvent(
                change.at_s, "fault", f"{change.id} applied: {change.error or change.evidence}"
            )
        elif from_s <= change.at_s <= to_s:
            yield TimelineEvent(
                change.at_s, "fault", f"{change.id} {change.action} {change.error}".strip()
            )
    changes = """SELECT at_s, instance, link, from_state, to_state, trace_id FROM span_events
        WHERE name = 'breaker.transition' AND at_s BETWEEN $from_s AND $to_s
        ORDER BY at_s, instance, link, from_state"""
    for at_s, instance, link, before, after, _ in evidence.rows(changes, from_s=from_s, to_s=to_s):
        yield TimelineEvent(at_s, "breaker", f"{link} of {instance}: {before} -> {after}")


def _client(subject: Subject) -> Iterator[TimelineEvent]:
    yield TimelineEvent(
        subject.started_s, "client", f"sends {subject.operation} (request {subject.seq})"
    )
    took_ms = (subject.ended_s - subject.intended_s) * 1000
    yield TimelineEvent(
        subject.ended_s, "client", f"gets its response after {took_ms:.0f} ms: {subject.outcome}"
    )


_TRACES = """
    CREATE OR REPLACE TEMP TABLE own_traces AS
    SELECT DISTINCT trace_id FROM spans
    WHERE ($trace_id <> '' AND trace_id = $trace_id)
       OR ($reservation_id <> '' AND reservation_id = $reservation_id)
"""
_SPANS = """
    SELECT start_s, instance, kind, name, link, coalesce(attempt, 0), ms, error_type,
           coalesce(http_status, 0), coalesce(db_system, '')
    FROM spans SEMI JOIN own_traces USING (trace_id) ORDER BY start_ns, end_ns DESC, span_id
"""
_NOTES = """
    SELECT at_s, instance, name, link, error_type
    FROM span_events SEMI JOIN own_traces USING (trace_id) ORDER BY at_s, span_id, name
"""


def _spans(evidence: RunEvidence, subject: Subject) -> Iterator[TimelineEvent]:
    ids = {"trace_id": subject.trace_id, "reservation_id": subject.reservation_id}
    evidence.rows(_TRACES, **ids)
    rows = evidence.rows(_SPANS)
    for start_s, instance, kind, name, link, attempt, ms, error, status, database in rows:
        verb = {"server": "serves", "client": "queries the database:" if database else "calls"}
        how = f", attempt {attempt}" if attempt > 1 else ""
        where = f" on {link}{how}" if link and kind == "client" else ""
        end = error or (str(status) if status else "done")
        text = f"{verb.get(kind, 'does')} {name}{where}: {end} after {ms:.0f} ms"
        yield TimelineEvent(start_s, instance, text)


def _span_events(evidence: RunEvidence) -> Iterator[TimelineEvent]:
    """Span events of the traces that ``_spans`` chose."""
    for at_s, instance, name, link, error in evidence.rows(_NOTES):
        if name != "breaker.transition":  # already among the surroundings
            yield TimelineEvent(
                at_s, instance, " ".join(word for word in (name, link, error) if word)
            )


def _rows(evidence: RunEvidence, tables: Path, subject: Subject) -> Iterator[TimelineEvent]:
    """Rows with this reservation id, from the databases as they were at the end."""
    for path in sorted(tables.glob("*.csv")) if subject.reservation_id else ():
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                if row.get("reservation_id") == subject.reservation_id:
                    yield from _row(evidence, path.stem, row)


def _row(evidence: RunEvidence, table: str, row: dict[str, str]) -> Iterator[TimelineEvent]:
    column = next((each for each in TIME_COLUMNS if row.get(each)), None)
    at_s = _since_t0(evidence, row[column]) if column else None
    if at_s is None:
        return
    if "to_state" in row:
        text = f"{row.get('from_state') or 'nothing'} -> {row['to_state']}: {row.get('reason', '')}"
    else:
        shown = (
            "state",
            "quantity",
            "amount_cents",
            "attempts",
            "delivered_at",
            "failure_mechanism",
        )
        text = ", ".join(f"{key} {row[key]}" for key in shown if row.get(key))
        text = f"at the end: {text}"
    yield TimelineEvent(at_s, table, text)


def _logs(evidence: RunEvidence, logs: Path, subject: Subject) -> Iterator[TimelineEvent]:
    ids = [each for each in (subject.trace_id, subject.reservation_id) if each]
    wanted = re.compile("|".join(map(re.escape, ids))) if ids else None
    for path in sorted(logs.glob("*.log")) if wanted else ():
        with path.open(errors="replace") as file:
            for line, _ in zip(file, range(LINES_MAX), strict=False):
                event = (
                    _log_line(evidence, path.stem, line) if wanted and wanted.search(line) else None
                )
                if event:
                    yield event


def _log_line(evidence: RunEvidence, instance: str, line: str) -> TimelineEvent | None:
    try:
        entry = json.loads(line)
        at_s = _since_t0(evidence, str(entry["time"]))
        text = f"logs {entry.get('level', '')}: {entry.get('message', '')}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return None if at_s is None else TimelineEvent(at_s, instance, text)


def _since_t0(evidence: RunEvidence, text: str) -> float | None:
    """Seconds since t0 of an ISO 8601 time, as PostgreSQL and our logs write it; None: not a time, or t0 is unknown."""
    try:
        at = datetime.fromisoformat(re.sub(r"([+-]\d\d)$", r"\1:00", text.strip()))
    except ValueError:
        return None
    t0_ns = evidence.run_log.epoch_ns
    return None if t0_ns is None or at.tzinfo is None else at.timestamp() - t0_ns / 1e9
