"""Attribution for a system that does not say in its answers where a failure came from: spans are asked.

Only OpenTelemetry's own conventions are used: span kind, parent, status, ``service.name``, ``error.type``,
``http.response.status_code``. A failure belongs to the deepest failing span of its trace: that one failed
by itself, all above it failed because of it.
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
"""What common HTTP clients call their errors, as a pattern -> our word; ``error_types`` goes before it."""

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


def adopt(connection: duckdb.DuckDBPyConnection, spec: TestbedSpec) -> None:
    """Give spans their link and mechanism, and failed requests the origin that their trace shows.

    A link is known by the service whose server span lies below the client's, else by being the caller's
    only one. What cannot be told stays empty, and counts as unattributed.
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
    """``error.type`` (or ``status:503``) -> mechanism: the testbed's own word first, then a common name's."""
    found = {each: own.get(each) or _common(each) for each in seen}
    return {each: word for each, word in found.items() if word in mechanisms}


def _common(error_type: str) -> str:
    for pattern, word in COMMON:
        if re.search(pattern, error_type, re.IGNORECASE):
            return word
    return ""
