"""Whether each fault was observed: the vacuity guard. A fault that no caller observed proves nothing.

The caller's attempts on the faulted link must show it while the fault was active, and more often than in the
baseline before it.
"""

from dataclasses import replace

from aguante.expectations.evidence import Row
from aguante.faults.observation import ObservationRule, is_observed
from aguante.faults.planned_fault import PlannedFault
from aguante.measure.measures import FaultMeasure
from aguante.measure.run_evidence import RunEvidence
from aguante.measure.telemetry_fault import telemetry_fault_observed
from aguante.run_folder.events import STARTED_ANEW
from aguante.run_folder.folder import RunFolder

UNCONNECTED = ("database_unavailable", "pool_exhausted")
"""Errors of a caller that got no connection: it sent no statement, so there is no span of one."""

_ATTEMPTS = """
    WITH made AS (
        SELECT start_s, ms, error_type FROM attempts WHERE list_contains($links::VARCHAR[], link)
        UNION ALL
        SELECT s.start_s, s.ms, s.error_type FROM spans AS s
        WHERE s.kind = 'server' AND s.origin = s.service
          AND list_contains($links::VARCHAR[], s.error_link)
          AND list_contains($unconnected::VARCHAR[], s.error_type)
          AND NOT EXISTS (FROM spans AS c
                          WHERE c.trace_id = s.trace_id AND c.kind = 'client'
                            AND c.link = s.error_link AND c.error_type = s.error_type
                            -- implied, but it limits the spans that are compared
                            AND list_contains($links::VARCHAR[], c.link)
                            AND list_contains($unconnected::VARCHAR[], c.error_type))
    )
    SELECT count(*),
           count(*) FILTER (list_contains($errors::VARCHAR[], error_type)
                            OR ms >= coalesce($slow_ms::DOUBLE, 1e300))
    FROM made WHERE start_s >= $from_s AND start_s < $until_s
"""
_USUAL_SLOWEST = """
    SELECT quantile_disc(ms, 0.95) FROM attempts
    WHERE list_contains($links::VARCHAR[], link) AND start_s >= $from_s AND start_s < $until_s
"""


def measure_fault(evidence: RunEvidence, fault: PlannedFault) -> FaultMeasure:
    """Planned against actual times, and the attempts that show the fault."""
    log = evidence.run_log
    start_s, end_s = log.began_s(fault.id), log.undone_s(fault.id)
    attempts, affected, observed, why = _injection(evidence, fault, start_s, end_s)
    evidence_text = "; ".join(text for text in (log.evidence(fault.id), why) if text)
    return FaultMeasure(
        id=fault.id,
        link=fault.target if fault.fault.on_link else "",
        service="" if fault.fault.on_link else fault.target,
        kind=fault.variant,
        planned_start_s=fault.start_s,
        planned_end_s=fault.end_s,
        actual_start_s=start_s,
        actual_held_s=log.applied_s(fault.id),
        actual_end_s=end_s,
        undone_verified=log.verified(fault.id),
        attempts_in_window=attempts,
        attempts_bitten=affected,
        injection_observed=observed,
        evidence=evidence_text,
    )


def _injection(
    evidence: RunEvidence, fault: PlannedFault, start_s: float | None, end_s: float | None
) -> tuple[int, int, bool, str]:
    """(attempts, affected ones, whether the fault was observed, one sentence)."""
    if start_s is None:
        return 0, 0, False, "it was never applied"
    until_s = evidence.plan.end_s if end_s is None else end_s
    before_s = max(0.0, _baseline_start(evidence)), evidence.first_fault_s or start_s
    spans_link = evidence.testbed.telemetry_link
    if spans_link and fault.target == spans_link.name:
        return telemetry_fault_observed(
            RunFolder(evidence.root).metrics, before_s, (start_s, until_s)
        )
    rule = fault.fault.observation().held_for(until_s - start_s)
    links = fault.fault.links_showing(evidence.testbed)
    if rule.shift:
        rule = _with_usual(evidence, rule, links, before_s)
    during = _count(evidence, rule, links, (start_s, until_s))
    usual = _count(evidence, rule, links, before_s)
    observed = is_observed(during, usual, rule)
    if rule.new_process and STARTED_ANEW in evidence.run_log.evidence_after(fault.id):
        observed = True  # a graceful restart may fail no attempt
    return during[0], during[1], observed, _sentence(links, during, usual)


def _baseline_start(evidence: RunEvidence) -> float:
    starts = [w.start_s for w in evidence.plan.phases if w.phase == "baseline"]
    return starts[0] if starts else 0.0


def _with_usual(
    evidence: RunEvidence, rule: ObservationRule, links: list[str], before_s: tuple[float, float]
) -> ObservationRule:
    window = {"from_s": before_s[0], "until_s": before_s[1]}
    (slowest,) = evidence.row(_USUAL_SLOWEST, links=links, **window)
    return replace(rule, slow_ms=slowest)


def _count(
    evidence: RunEvidence, rule: ObservationRule, links: list[str], window_s: tuple[float, float]
) -> tuple[int, int]:
    row: Row = evidence.row(
        _ATTEMPTS,
        links=links,
        from_s=window_s[0],
        until_s=window_s[1],
        errors=list(rule.errors),
        unconnected=list(UNCONNECTED),
        slow_ms=rule.slow_ms,
    )
    return row[0], row[1]


def _sentence(links: list[str], during: tuple[int, int], usual: tuple[int, int]) -> str:
    named = ", ".join(links)
    return (
        f"{during[1]} of {during[0]} attempts on {named} show it"
        f" ({usual[1]} of {usual[0]} before the fault)"
    )
