"""Attribution from spans, for a system whose responses do not say where a failure came from.

Only OpenTelemetry's own conventions are used: span kind, parent, status, ``service.name``, ``error.type``,
``http.response.status_code``. A failure is attributed to the deepest failed span of its trace: that span failed
by itself, and all spans above it failed because of it.
"""

import re
from collections.abc import Mapping, Sequence

import duckdb

from aguante.testbed.testbed_spec import TestbedSpec

COMMON = (
    (r"time.?out|deadline", "timeout"),
    (r"refused", "connect_refused"),
    (r"reset|broken.?pipe", "connection_reset"),
    (r"disconnect|closed|incomplete|eof|bad.?status.?line", "disconnected"),
    (r"^(status:)?5\d\d$|client.?response", "upstream_error"),
)
"""Error names of common HTTP clients, as pattern -> mechanism; the testbed's ``error_types`` take precedence."""

_TYPES = """
    SELECT DISTINCT error_type FROM spans WHERE error_type <> ''
    UNION SELECT DISTINCT 'status:' || http_status FROM spans WHERE http_status >= 400
"""
_TRANSLATE = """
    UPDATE spans SET error_type = t.mechanism FROM translated AS t
    WHERE t.error_type = CASE WHEN spans.error_type <> '' THEN spans.error_type
                              WHEN spans.http_status >= 400 THEN 'status:' || spans.http_status ELSE '' END
"""
_LINKS = """
    UPDATE spans SET link = named.link FROM (
        SELECT s.span_id, s.trace_id,
               coalesce(max(exact.name), CASE WHEN count(DISTINCT mine.name) = 1 THEN max(mine.name) END) AS link
        FROM spans AS s
        JOIN edges AS mine ON mine.caller = s.service
        LEFT JOIN spans AS child ON child.trace_id = s.trace_id AND child.parent_id = s.span_id
                                AND child.kind = 'server'
        LEFT JOIN edges AS exact ON exact.caller = s.service AND exact.callee = child.service
        WHERE s.kind = 'client' AND s.link = '' AND coalesce(s.db_system, '') = ''
        GROUP BY s.span_id, s.trace_id
    ) AS named
    WHERE spans.span_id = named.span_id AND spans.trace_id = named.trace_id AND named.link IS NOT NULL
"""
_ATTEMPTS = "UPDATE spans SET attempt = 1 WHERE kind = 'client' AND link <> '' AND attempt IS NULL"
_ATTRIBUTE = """
    UPDATE requests SET origin = c.service, link = c.link, mechanism = c.error_type FROM (
        SELECT DISTINCT ON (s.trace_id) s.trace_id, s.service, s.link, s.error_type
        FROM spans AS s
        WHERE s.error_type <> '' AND NOT EXISTS (
            SELECT 1 FROM spans AS below
            WHERE below.trace_id = s.trace_id AND below.parent_id = s.span_id AND below.error_type <> '')
        ORDER BY s.trace_id, s.end_ns DESC, s.span_id
    ) AS c
    WHERE requests.trace_id = c.trace_id AND requests.status >= 400 AND requests.mechanism = ''
"""


def attribute_from_spans(connection: duckdb.DuckDBPyConnection, spec: TestbedSpec) -> None:
    """Set link and mechanism of spans, and the origin of failed requests from their traces.

    The link of a client span is the one to the service whose server span is its child, or the caller's only link.
    Otherwise it stays empty, and the failure counts as unattributed.
    """
    connection.execute("CREATE TEMP TABLE edges (name VARCHAR, caller VARCHAR, callee VARCHAR)")
    edges = [(e.name, e.caller, e.callee) for e in spec.links if e.kind == "http"]
    connection.executemany("INSERT INTO edges VALUES (?, ?, ?)", edges)
    seen = [str(row[0]) for row in connection.execute(_TYPES).fetchall()]
    known = translation(seen, spec.error_types, spec.mechanisms)
    connection.execute("CREATE TEMP TABLE translated (error_type VARCHAR, mechanism VARCHAR)")
    if known:
        rows = [list(pair) for pair in known.items()]
        connection.executemany("INSERT INTO translated VALUES (?, ?)", rows)
    for statement in (_TRANSLATE, _LINKS, _ATTEMPTS, _ATTRIBUTE):
        connection.execute(statement)


def translation(
    seen: Sequence[str], own: Mapping[str, str], mechanisms: Sequence[str]
) -> dict[str, str]:
    """``error.type`` (or ``status:503``) -> mechanism, by the testbed's ``error_types``, else by COMMON."""
    found = {each: own.get(each) or _common(each) for each in seen}
    return {each: word for each, word in found.items() if word in mechanisms}


def _common(error_type: str) -> str:
    for pattern, word in COMMON:
        if re.search(pattern, error_type, re.IGNORECASE):
            return word
    return ""
