"""Example traces for the report: the first of each cause in the fault phase, and two successful ones."""

import json
from collections import defaultdict

from aguante.expectations.evidence import Row
from aguante.measure.measures import SampleSpan, SampleTrace
from aguante.measure.run_evidence import RunEvidence

SAMPLES_MAX = 12
GOOD = 2
SPANS_MAX = 200
"""Per trace: a longer waterfall is unreadable."""

_PICK = """
    WITH traced AS NOT MATERIALIZED (
        SELECT r.seq, r.phase, r.origin, t.spans, r.trace_id, r.intended_s, r.operation, r.status,
               r.mechanism, r.link
        FROM requests AS r JOIN traces AS t USING (trace_id)
    ), bad AS (
        SELECT min_by({columns}, (intended_s, seq)) AS picked FROM traced
        WHERE status <> 200 AND (phase = 'fault' OR NOT $has_fault)
        GROUP BY status, origin, link, mechanism
    ), good AS (
        SELECT phase, min_by({columns}, (-spans, intended_s, seq)) AS picked FROM traced
        WHERE status = 200 AND phase IN ('baseline', 'fault', 'recovery') GROUP BY phase
    )
    SELECT unnest(picked) FROM (
        (SELECT picked FROM bad ORDER BY picked.intended_s, picked LIMIT $bad_max)
        UNION ALL
        (SELECT picked FROM good ORDER BY phase = 'fault', picked.intended_s LIMIT $good_max)
    ) ORDER BY picked.status = 200, picked.intended_s, picked
""".replace(
    "{columns}",
    "struct_pack(trace_id := trace_id, intended_s := intended_s, operation := operation,"
    " status := status, mechanism := mechanism, link := link)",
)
_SPANS = """
    SELECT trace_id, span_id, coalesce(parent_id, ''), service, name, kind, start_ns,
           end_ns, link, coalesce(attempt, 0), error_type, coalesce(http_status, 0),
           coalesce(events, '')
    FROM spans WHERE list_contains($traces::VARCHAR[], trace_id)
    ORDER BY trace_id, start_ns, end_ns DESC, span_id
"""


def example_traces(evidence: RunEvidence) -> tuple[SampleTrace, ...]:
    """At most SAMPLES_MAX traces, failures first."""
    picked = evidence.rows(
        _PICK,
        has_fault=any(window.phase == "fault" for window in evidence.plan.phases),
        bad_max=SAMPLES_MAX - GOOD,
        good_max=GOOD,
    )
    spans: dict[str, list[Row]] = defaultdict(list)
    for trace, *rest in evidence.rows(_SPANS, traces=[row[0] for row in picked]):
        spans[trace].append(tuple(rest))
    return tuple(_sample(row, spans[row[0]]) for row in picked)


def _sample(picked: Row, rows: list[Row]) -> SampleTrace:
    trace_id, at_s, operation, status, mechanism, link = picked
    first_ns = min(row[5] for row in rows)
    return SampleTrace(
        trace_id=trace_id,
        at_s=at_s,
        operation=operation,
        status=status,
        mechanism=mechanism,
        link=link,
        spans=tuple(_span(row, first_ns) for row in rows[:SPANS_MAX]),
    )


def _span(row: Row, first_ns: int) -> SampleSpan:
    (
        span_id,
        parent_id,
        service,
        name,
        kind,
        start_ns,
        end_ns,
        link,
        attempt,
        error,
        status,
        notes,
    ) = row
    return SampleSpan(
        span_id=span_id,
        parent_id=parent_id,
        service=service,
        name=name,
        kind=kind,
        start_ms=(start_ns - first_ns) / 1e6,
        duration_ms=(end_ns - start_ns) / 1e6,
        link=link,
        attempt=attempt,
        error_type=error,
        status_code=status,
        events=tuple(_events(notes, first_ns)),
    )


def _events(notes: str, first_ns: int) -> list[tuple[float, str]]:
    """(ms since the trace began, ``name key=value ...``) of each span event."""
    listed = json.loads(notes) if notes else []
    return [((each["at_ns"] - first_ns) / 1e6, _event_text(each)) for each in listed]


def _event_text(event: dict[str, object]) -> str:
    attributes = event.get("attributes")
    pairs = attributes.items() if isinstance(attributes, dict) else ()
    return " ".join([str(event["name"]), *(f"{key}={value}" for key, value in pairs)])
