"""What only spans can tell: breaker transitions, attempts per call, and whether they agree with the answers."""

from aguante.measure.evidence import Evidence
from aguante.measure.model import (
    Attribution,
    BreakerTransition,
    Cause,
    LinkAmplification,
    SpanHealth,
)

_HEALTH = "SELECT count(*), count(DISTINCT trace_id) FROM spans"
_BREAKERS = """
    SELECT at_s, service, coalesce(instance, ''), link, from_state, to_state
    FROM span_events WHERE name = 'breaker.transition' AND at_s IS NOT NULL
    ORDER BY at_s, service, instance, link
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
_ATTRIBUTION = """
    WITH known AS (SELECT unnest($mechanisms::VARCHAR[]) AS mechanism),
    failures AS (
        SELECT trace_id, origin, mechanism,
               origin <> '' AND mechanism IN (SELECT mechanism FROM known) AS attributed
        FROM requests WHERE status <> 200 AND ($phase::VARCHAR IS NULL OR phase = $phase)
    ), said AS (
        SELECT DISTINCT trace_id, error_type FROM spans WHERE error_type <> ''
        UNION SELECT DISTINCT trace_id, error_type FROM span_events WHERE error_type <> ''
    ), served AS (SELECT DISTINCT trace_id, service FROM spans WHERE kind = 'server')
    SELECT count(*), count(*) FILTER (attributed),
           count(*) FILTER (attributed AND said.trace_id IS NOT NULL),
           count(*) FILTER (attributed AND said.trace_id IS NULL AND served.trace_id IS NOT NULL)
    FROM failures AS f
    LEFT JOIN said ON said.trace_id = f.trace_id AND said.error_type = f.mechanism
    LEFT JOIN served ON served.trace_id = f.trace_id AND served.service = f.origin
"""
_UNEXPLAINED = """
    SELECT status, origin, link, mechanism, count(*) FROM requests
    WHERE status <> 200 AND NOT (origin <> '' AND list_contains($mechanisms::VARCHAR[], mechanism))
    GROUP BY ALL ORDER BY count(*) DESC, status LIMIT 20
"""


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
    if dropped < 0:
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


def measure_attribution(evidence: Evidence, phase: str | None = None) -> Attribution:
    """Whether each failure names its origin and a known mechanism, and whether its trace agrees.

    A failure is contradicted when the deciding service's span is in its trace and no span or span
    event there carries the mechanism.
    """
    known = [*evidence.testbed.mechanisms, *evidence.testbed.client_mechanisms]
    counts = evidence.row(_ATTRIBUTION, mechanisms=known, phase=phase)
    failures, attributed, confirmed, contradicted = counts
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
