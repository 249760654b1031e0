"""``traces.jsonl``: every failing trace and a few good ones, one trace a line, for people and other tools."""

import duckdb

from aguante.collect.disk import refusals_as_os_error
from aguante.plan import Plan
from aguante.runfolder import RunFolder

GOOD_PER_PHASE = 20

_CHOSEN = """
CREATE TEMP TABLE phases (phase VARCHAR, start_s DOUBLE, end_s DOUBLE);
CREATE TEMP TABLE records AS
    SELECT r.seq, r.operation, r.intended_s, r.status, r.mechanism, r.trace_id, p.phase
    FROM read_json(getvariable('records'), format = 'newline_delimited', ignore_errors = true, columns = {
        seq: 'BIGINT', operation: 'VARCHAR', intended_s: 'DOUBLE', status: 'INTEGER',
        mechanism: 'VARCHAR', trace_id: 'VARCHAR'}) AS r
    LEFT JOIN phases AS p ON r.intended_s >= p.start_s AND r.intended_s < p.end_s
    WHERE r.trace_id IS NOT NULL;
"""

_WRITE = """
COPY (
    WITH good AS (  -- the first of each of n equal slices: spread over the phase, the same every time
        SELECT seq, ntile(getvariable('good')) OVER (PARTITION BY phase ORDER BY seq) AS slice, phase
        FROM records WHERE status = 200
    ), chosen AS (
        SELECT seq FROM records WHERE status <> 200
        UNION ALL
        SELECT min(seq) FROM good GROUP BY phase, slice
    )
    SELECT r.trace_id, r.seq, r.operation, r.phase, r.intended_s, r.status, r.mechanism,
           list({span_id: s.span_id, parent_id: s.parent_id, service: s.service, instance: s.instance,
                 name: s.name, kind: s.kind, start_ns: s.start_ns, end_ns: s.end_ns, status: s.status,
                 error_type: s.error_type, link: s.link, error_link: s.error_link, attempt: s.attempt,
                 http_status: s.http_status, origin: s.origin, reservation_id: s.reservation_id,
                 events: s.events::JSON, links: s.links::JSON} ORDER BY s.start_ns, s.span_id)
               FILTER (s.span_id IS NOT NULL) AS spans
    FROM records AS r JOIN chosen USING (seq)
    LEFT JOIN read_parquet(getvariable('spans')) AS s ON s.trace_id = r.trace_id
    GROUP BY ALL ORDER BY r.seq
) TO '{target}' (FORMAT json)
"""


def write_traces(folder: RunFolder, plan: Plan) -> int:
    """Write ``traces.jsonl`` from the records and ``spans.parquet``; how many traces.

    A failing request whose trace never arrived is a line without spans: that is evidence too.

    Raises:
        OSError: a file is missing or cannot be written.
    """
    if not folder.records.exists():
        folder.traces.write_bytes(b"")
        return 0
    with refusals_as_os_error(), duckdb.connect() as db:
        db.execute("SET VARIABLE records = ?", [str(folder.records)])
        db.execute("SET VARIABLE spans = ?", [str(folder.spans)])
        db.execute("SET VARIABLE good = ?", [GOOD_PER_PHASE])
        create_phases, create_records = _CHOSEN.strip().split(";\n", 1)
        db.execute(create_phases)
        db.executemany(
            "INSERT INTO phases VALUES (?, ?, ?)",
            [(window.phase, window.start_s, window.end_s) for window in plan.phases],
        )
        db.execute(create_records)
        # COPY takes no parameter as its target; a quote in the path is doubled
        target = str(folder.traces).replace("'", "''")
        row = db.execute(_WRITE.replace("{target}", target)).fetchone()
    return int(row[0]) if row else 0
