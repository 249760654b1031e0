"""Offered against achieved load, and how late the generator itself was."""

from aguante.measure.evidence import Evidence
from aguante.measure.model import LoadMeasure
from aguante.measure.percentiles import percentile

_LATENESS = """
    SELECT count(*), coalesce(list(late_ms ORDER BY late_ms), [])
    FROM (SELECT greatest(0, started_s - intended_s) * 1000 AS late_ms FROM requests)
"""


def measure_load(evidence: Evidence) -> LoadMeasure:
    """Achieved counts what is in the ledger; offered is the plan, or the generator's own larger count.

    A generator that died early thus shows as a shortfall. Poisson arrivals offer what they drew: their
    own count is taken when the generator ended well.
    """
    plan, summary = evidence.plan.load, evidence.facts.load
    recorded, lateness = evidence.row(_LATENESS)
    offered = round(plan.rate_rps * plan.duration_s)
    if summary is not None and summary.exit_code == 0:
        drew = summary.offered
        offered = drew if plan.arrivals == "poisson" else max(offered, drew)
    return LoadMeasure(
        offered=offered,
        sent=summary.sent if summary else recorded,
        shed=summary.shed if summary else 0,
        offered_rps=offered / plan.duration_s,
        achieved_rps=recorded / plan.duration_s,
        lateness_p50_ms=percentile(lateness, 0.50).value_ms,
        lateness_p99_ms=percentile(lateness, 0.99).value_ms,
    )
