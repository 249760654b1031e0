"""Offered against achieved load, and how late the generator itself was."""

from aguante.expectations.evidence import Evidence, LoadMeasure
from aguante.expectations.percentiles import percentiles_of
from aguante.plan.plan import PlannedLoad
from aguante.run_folder.events import LoadFinished

_LATENESS = "SELECT greatest(0, started_s - intended_s) * 1000 AS value FROM requests"


def measure_load(
    evidence: Evidence, plan: PlannedLoad, summary: LoadFinished | None
) -> LoadMeasure:
    """Achieved load is counted in the ledger; offered load is the plan's, or the generator's own count if larger.

    A generator that died early therefore shows as a shortfall. Poisson arrivals offer the number that they drew, if the
    generator ended well. A closed loop draws no arrivals: it is held to the plan, so that requests that its users did
    not send while they waited count as a shortfall.
    """
    recorded, (p50, p99) = percentiles_of(evidence, _LATENESS, (0.50, 0.99))
    offered = round(plan.curve.arrivals(0, plan.duration_s))
    if summary is not None and summary.exit_code == 0:
        drew = summary.offered
        drawn = plan.arrivals == "poisson" and not plan.users
        offered = drew if drawn else max(offered, drew)
    return LoadMeasure(
        offered=offered,
        sent=summary.sent if summary else recorded,
        shed=summary.shed if summary else 0,
        offered_rps=offered / plan.duration_s,
        achieved_rps=recorded / plan.duration_s,
        lateness_p50_ms=p50.value_ms,
        lateness_p99_ms=p99.value_ms,
    )
