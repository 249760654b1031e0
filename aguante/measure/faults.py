"""Whether each fault really bit: the vacuity guard. A fault that nobody felt proves nothing.

The caller's attempts on the faulted link must show it, in the window in which the fault was really
there, and more often than in the baseline before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aguante.events import STARTED_ANEW
from aguante.measure.evidence import Evidence, Row
from aguante.measure.model import FaultMeasure
from aguante.plan import PlannedFault, ProcessFault

TIMED_OUT = ("timeout", "deadline", "client_timeout", "pool_exhausted")
CUT = ("disconnected", "connection_reset", "client_disconnected", "database_unavailable")
REFUSED = ("connect_refused", "client_refused")

SHIFT_CHANCE = 0.05
"""Share of attempts beyond the baseline's own p95 when nothing changed: what a shift has to beat."""
SHIFT_NEEDED = 0.20
SHIFT_ATTEMPTS = 20


@dataclass(frozen=True)
class BiteRule:
    """How an attempt shows a toxic: it ended with one of these, or lasted at least ``slow_ms``."""

    errors: tuple[str, ...]
    slow_ms: float | None = None
    shift: bool = False
    """No single attempt proves it: a whole shift against the baseline is wanted."""


def bite_rule(fault: PlannedFault) -> BiteRule:
    """The rule of a fault's toxic, or of its action on a process.

    What a toxic does is Toxiproxy's documentation; what the caller calls it is the testbed's mechanisms.
    """
    if isinstance(fault.fault, ProcessFault):
        return BiteRule(TIMED_OUT + CUT + REFUSED)
    values: Mapping[str, int] = dict(fault.fault.attributes)
    match fault.fault.toxic:
        case "latency":
            slow_ms = max(1, values.get("latency", 0) - values.get("jitter", 0))
            return BiteRule(TIMED_OUT, slow_ms=float(slow_ms))
        case "down":
            return BiteRule(REFUSED + CUT)
        case "reset_peer" | "limit_data":
            return BiteRule(CUT)
        case "timeout":
            return BiteRule(TIMED_OUT + CUT)
        case _:
            return BiteRule(TIMED_OUT + CUT + REFUSED, shift=True)


UNCONNECTED = ("database_unavailable", "pool_exhausted")
"""What a caller says that never got a connection: no statement was sent, so there is no span of one."""

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
                            AND c.link = s.error_link AND c.error_type = s.error_type)
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


def measure_fault(evidence: Evidence, fault: PlannedFault) -> FaultMeasure:
    """Planned against actual times, and the attempts that show the fault."""
    facts = evidence.facts
    start_s, end_s = facts.applied_s(fault.id), facts.undone_s(fault.id)
    attempts, bitten, observed, why = _injection(evidence, fault, start_s, end_s)
    evidence_text = "; ".join(text for text in (facts.evidence(fault.id), why) if text)
    return FaultMeasure(
        id=fault.id,
        link="" if isinstance(fault.fault, ProcessFault) else fault.target,
        service=fault.target if isinstance(fault.fault, ProcessFault) else "",
        kind=fault.kind,
        planned_start_s=fault.start_s,
        planned_end_s=fault.end_s,
        actual_start_s=start_s,
        actual_end_s=end_s,
        undone_verified=facts.verified(fault.id),
        attempts_in_window=attempts,
        attempts_bitten=bitten,
        injection_observed=observed,
        evidence=evidence_text,
    )


def _injection(
    evidence: Evidence, fault: PlannedFault, start_s: float | None, end_s: float | None
) -> tuple[int, int, bool, str]:
    """(attempts, bitten, whether it was felt, one sentence)."""
    if start_s is None:
        return 0, 0, False, "it was never applied"
    until_s = evidence.plan.end_s if end_s is None else end_s
    before_s = max(0.0, _baseline_start(evidence)), evidence.first_fault_s or start_s
    rule, links = bite_rule(fault), links_felt(evidence, fault)
    if rule.shift:
        rule = _with_usual(evidence, rule, links, before_s)
    during = _count(evidence, rule, links, (start_s, until_s))
    usual = _count(evidence, rule, links, before_s)
    toxicity = 1.0 if isinstance(fault.fault, ProcessFault) else fault.fault.toxicity
    observed = felt(during, usual, shift=rule.shift, toxicity=toxicity)
    if fault.kind == "restart" and STARTED_ANEW in evidence.facts.evidence_after(fault.id):
        observed = True  # one in good order may cost no attempt at all
    return during[0], during[1], observed, _sentence(links, during, usual)


def links_felt(evidence: Evidence, fault: PlannedFault) -> list[str]:
    """The links whose attempts can show a fault: its own, or every call to the service that it hits."""
    if not isinstance(fault.fault, ProcessFault):
        return [fault.fault.link]
    service = fault.fault.service
    links = evidence.testbed.links
    return [each.name for each in links if each.callee == service and each.kind == "http"]


def felt(
    during: tuple[int, int], usual: tuple[int, int], *, shift: bool, toxicity: float = 1.0
) -> bool:
    """Whether the attempts of a window show a fault.

    Args:
        during: (attempts, bitten attempts) while the fault was there.
        usual: the same in the baseline.
        shift: the toxic proves itself by a shift only.
        toxicity: share of connections affected; a shift of so many attempts is expected.
    """
    attempts, bitten = during
    if not bitten:
        return False
    if shift:
        enough = attempts >= SHIFT_ATTEMPTS
        return enough and bitten / attempts >= SHIFT_CHANCE + SHIFT_NEEDED * toxicity
    return bitten / attempts > (usual[1] / usual[0] if usual[0] else 0.0)


def _baseline_start(evidence: Evidence) -> float:
    starts = [w.start_s for w in evidence.plan.phases if w.phase == "baseline"]
    return starts[0] if starts else 0.0


def _with_usual(
    evidence: Evidence, rule: BiteRule, links: list[str], before_s: tuple[float, float]
) -> BiteRule:
    window = {"from_s": before_s[0], "until_s": before_s[1]}
    (slowest,) = evidence.row(_USUAL_SLOWEST, links=links, **window)
    return BiteRule(rule.errors, slow_ms=slowest, shift=True)


def _count(
    evidence: Evidence, rule: BiteRule, links: list[str], window_s: tuple[float, float]
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
