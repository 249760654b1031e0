"""``traces.jsonl``: failed traces and a few successful ones as text, one trace a line, for people and other tools.

``spans.parquet`` has all spans of all traces. This file is for reading and grepping, so its size is limited: at most
FAILING_PER_CAUSE failed traces per phase and cause, evenly spread. ``stands_for`` in each line is the number of
requests that the trace represents (1: all are written, as in any run of ordinary length).
"""

from pathlib import Path

from aguante.collect.disk_errors import refusals_as_os_error
from aguante.measure.run_evidence import RunEvidence

FAILING_PER_CAUSE = 1000
GOOD_PER_PHASE = 20

_CHOSEN = """
CREATE OR REPLACE TEMP TABLE chosen AS
    -- the first of each of n equal slices: spread over the phase, the same every time
    SELECT min(seq) AS seq, count(*) AS stands_for FROM (
        SELECT seq, phase, status, origin, link, mechanism,
               ntile($failing) OVER (PARTITION BY phase, status, origin, link, mechanism ORDER BY seq) AS slice
        FROM requests WHERE status <> 200)
    GROUP BY phase, status, origin, link, mechanism, slice
    UNION ALL
    SELECT min(seq), count(*) FROM (
        SELECT seq, phase, ntile($good) OVER (PARTITION BY phase ORDER BY seq) AS slice
        FROM requests WHERE status = 200)
    GROUP BY phase, slice
"""
_WRITE = """
COPY (
    SELECT r.trace_id, r.seq, r.operation, r.phase, r.intended_s, r.status, r.mechanism, c.stands_for,
           list({span_id: s.span_id, parent_id: s.parent_id, service: s.service, instance: s.instance,
                 name: s.name, kind: s.kind, start_ns: s.start_ns, end_ns: s.end_ns, status: s.status,
                 error_type: s.error_type, link: s.link, error_link: s.error_link, attempt: s.attempt,
                 http_status: s.http_status, origin: s.origin, reservation_id: s.reservation_id,
                 events: s.events::JSON, links: s.links::JSON} ORDER BY s.start_ns, s.span_id)
               FILTER (s.span_id IS NOT NULL) AS spans
    FROM requests AS r JOIN chosen AS c USING (seq)
    LEFT JOIN spans AS s ON s.trace_id = r.trace_id
    GROUP BY ALL ORDER BY r.seq
) TO '{target}' (FORMAT json)
"""


def write_traces(evidence: RunEvidence, target: Path) -> int:
    """Write the selected traces; returns how many.

    A failed request whose trace never arrived is a line without spans.

    Raises:
        OSError: the file cannot be written.
    """
    evidence.rows(_CHOSEN, failing=FAILING_PER_CAUSE, good=GOOD_PER_PHASE)
    # COPY cannot take its target as a parameter, so quotes in the path are doubled
    copy = _WRITE.replace("{target}", str(target).replace("'", "''"))
    with refusals_as_os_error():
        row = evidence.connection.execute(copy).fetchone()
    return int(row[0]) if row else 0
