"""What only spans can tell: breaker transitions, attempts per call, and whether they agree with the answers."""

from aguante.measure.evidence import Evidence
from aguante.measure.measures import (
    Attribution,
    BreakerTransition,
    Cause,
    LinkAmplification,
    SpanHealth,
)

_HEALTH = "SELECT coalesce(sum(spans), 0)::BIGINT, count(trace_id) FROM traces"
_BREAKERS = """
    SELECT at_s, service, coalesce(instance, ''), link, from_state, to_state
    FROM span_events WHERE name = 'breaker.transition' AND at_s IS NOT NULL
    ORDER BY at_s, service, instance, link, from_state, to_state
"""
_AMPLIFICATION = """
    WITH made AS (
        SELECT link, count(*) FILTER (attempt = 1) AS calls, count(*) AS attempts
        FROM attempts
        WHERE attempt > 0 AND link <> $entry AND coalesce(db_system, '') = ''
          AND ($phase::VARCHAR IS NULL OR phase = $phase)
        GROUP BY link
    ), refused AS (
        SELECT link, count(*) AS rejected FROM span_events
        WHERE name = 'call.rejected' AND link <> '' AND ($phase::VARCHAR IS NULL OR phase = $phase)
        GROUP BY link
    )
    SELECT link, coalesce(calls, 0), coalesce(attempts, 0), coalesce(rejected, 0)
    FROM made FULL JOIN refused USING (link) ORDER BY link
"""
_NAMED = "origin <> '' AND list_contains($mechanisms::VARCHAR[], mechanism)"
"""A failure that says who decided it, and by which mechanism of those that are known."""
_ATTRIBUTED = """
    SELECT count(*), count(*) FILTER ({named}) FROM requests
    WHERE status <> 200 AND ($phase::VARCHAR IS NULL OR phase = $phase)
""".replace("{named}", _NAMED)
_AGREEMENT = """
    WITH failures AS (
        SELECT rowid AS id, trace_id, origin, mechanism FROM requests WHERE status <> 200 AND {named}
    ), seen AS (  -- whatever a trace tells, beside the failure that it belongs to
        SELECT f.id, s.error_type = f.mechanism AS said,
               s.kind = 'server' AND s.service = f.origin AS served
        FROM spans AS s JOIN failures AS f USING (trace_id)
        WHERE s.error_type <> '' OR s.kind = 'server'
        UNION ALL
        SELECT f.id, e.error_type = f.mechanism, false
        FROM span_events AS e JOIN failures AS f USING (trace_id)
        WHERE e.error_type <> ''
    ), told AS (SELECT id, bool_or(said) AS said, bool_or(served) AS served FROM seen GROUP BY id)
    SELECT count(*) FILTER (said), count(*) FILTER (NOT said AND served) FROM told
""".replace("{named}", _NAMED)
_UNEXPLAINED = """
    SELECT status, origin, link, mechanism, count(*) FROM requests
    WHERE status <> 200 AND NOT ({named})
    GROUP BY ALL ORDER BY count(*) DESC, status, mechanism, origin, link LIMIT 20
""".replace("{named}", _NAMED)


def measure_spans(evidence: Evidence) -> SpanHealth:
    """How many spans there are, and whether the services dropped any."""
    spans, traces = evidence.row(_HEALTH)
    facts = evidence.facts
    return SpanHealth(
        spans=spans,
        traces=traces,
        dropped=facts.spans_dropped,
        lost_because=facts.spans_lost_because,
    )


def incomplete_because(evidence: Evidence) -> str:
    """Why nothing may be concluded from what the spans do *not* show; empty: they are complete."""
    dropped = evidence.facts.spans_dropped
    if evidence.facts.epoch_ns is None:
        return "the runner noted no t0, so spans have no place in time"
    if evidence.facts.spans_lost_because:
        return evidence.facts.spans_lost_because
    if dropped is None:
        return "the services' counters of dropped spans could not be read"
    return f"{dropped} spans were dropped" if dropped else ""


def measure_breakers(evidence: Evidence) -> tuple[BreakerTransition, ...]:
    """Every change of every breaker, in order of time."""
    return tuple(
        BreakerTransition(
            at_s=at_s,
            service=service,
            instance=instance,
            link=link,
            from_state=before,
            to_state=after,
        )
        for at_s, service, instance, link, before, after in evidence.rows(_BREAKERS)
    )


def measure_amplification(
    evidence: Evidence, phase: str | None = None
) -> tuple[LinkAmplification, ...]:
    """Calls, attempts and refusals of each link between services, of one phase or the whole run."""
    rows = evidence.rows(_AMPLIFICATION, entry=evidence.testbed.entry, phase=phase)
    return tuple(
        LinkAmplification(link=link, calls=calls, attempts=attempts, rejected=rejected)
        for link, calls, attempts, rejected in rows
    )


def count_attributed(evidence: Evidence, phase: str | None = None) -> tuple[int, int]:
    """(failures, those that name their origin and a known mechanism), by the answers alone; None: of every phase."""
    failures, attributed = evidence.row(_ATTRIBUTED, mechanisms=_known(evidence), phase=phase)
    return failures, attributed


def _known(evidence: Evidence) -> list[str]:
    return [*evidence.testbed.mechanisms, *evidence.testbed.client_mechanisms]


def measure_attribution(evidence: Evidence) -> Attribution:
    """Whether each failure names its origin and a known mechanism, and whether its trace agrees.

    A failure is contradicted when the deciding service's span is in its trace and no span or span
    event there carries the mechanism.
    """
    known = _known(evidence)
    failures, attributed = count_attributed(evidence)
    confirmed, contradicted = evidence.row(_AGREEMENT, mechanisms=known)
    return Attribution(
        failures=failures,
        attributed=attributed,
        confirmed_by_spans=confirmed,
        contradicted_by_spans=contradicted,
        unexplained=tuple(
            Cause(status=status, origin=origin, link=link, mechanism=mechanism, requests=n)
            for status, origin, link, mechanism, n in evidence.rows(_UNEXPLAINED, mechanisms=known)
        ),
    )
