"""How complete the spans are, and whether they agree with the responses."""

from aguante.expectations.attribution import NAMED, count_attributed, known_mechanisms
from aguante.measure.measures import AttributionMeasure, Cause, SpanHealth
from aguante.measure.run_evidence import RunEvidence

_HEALTH = "SELECT coalesce(sum(spans), 0)::BIGINT, count(trace_id) FROM traces"
_AGREEMENT = """
    WITH failures AS (
        SELECT rowid AS id, trace_id, origin, mechanism FROM requests WHERE status <> 200 AND {named}
    ), seen AS (  -- the evidence in a trace, next to the failure that it belongs to
        SELECT f.id, s.error_type = f.mechanism AS said,
               s.kind = 'server' AND s.service = f.origin AS served
        FROM spans AS s JOIN failures AS f USING (trace_id)
        WHERE s.error_type <> '' OR s.kind = 'server'
        UNION ALL
        SELECT f.id, e.error_type = f.mechanism, false
        FROM span_events AS e JOIN failures AS f USING (trace_id)
        WHERE e.error_type <> ''
    ), traced AS (SELECT id, bool_or(said) AS said, bool_or(served) AS served FROM seen GROUP BY id)
    SELECT count(*) FILTER (said), count(*) FILTER (NOT said AND served) FROM traced
""".replace("{named}", NAMED)
_UNEXPLAINED = """
    SELECT status, origin, link, mechanism, count(*) FROM requests
    WHERE status <> 200 AND NOT ({named})
    GROUP BY ALL ORDER BY count(*) DESC, status, mechanism, origin, link LIMIT 20
""".replace("{named}", NAMED)


def measure_spans(evidence: RunEvidence) -> SpanHealth:
    """How many spans there are, and how many the services dropped."""
    spans, traces = evidence.row(_HEALTH)
    log = evidence.run_log
    return SpanHealth(
        spans=spans,
        traces=traces,
        dropped=log.spans_dropped,
        lost_because=log.spans_lost_because,
    )


def measure_attribution(evidence: RunEvidence) -> AttributionMeasure:
    """Whether each failure names its origin and a known mechanism, and whether its trace agrees.

    A failure is contradicted when the deciding service's span is in its trace and no span or span
    event there carries the mechanism.
    """
    known = known_mechanisms(evidence)
    failures, attributed = count_attributed(evidence)
    confirmed, contradicted = evidence.row(_AGREEMENT, mechanisms=known)
    return AttributionMeasure(
        failures=failures,
        attributed=attributed,
        confirmed_by_spans=confirmed,
        contradicted_by_spans=contradicted,
        unexplained=tuple(
            Cause(status=status, origin=origin, link=link, mechanism=mechanism, requests=n)
            for status, origin, link, mechanism, n in evidence.rows(_UNEXPLAINED, mechanisms=known)
        ),
    )
