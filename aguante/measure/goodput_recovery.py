"""How the system came back after the last fault ended: recovered, degraded or metastable."""

import math
from collections.abc import Sequence

from aguante.core.statistics import recovered_after
from aguante.measure.evidence import Evidence
from aguante.measure.measures import Recovery

WINDOWS = 3
"""Good seconds in a row that make a recovery (design, Part 3)."""

_SHARE = "SELECT count(*) FILTER (status = 200), count(*) FROM requests WHERE phase = $phase"
_AFTER = """
    SELECT floor(intended_s - $end_s)::INTEGER AS second,
           count(*) FILTER (status = 200) / count(*)
    FROM requests WHERE intended_s >= $end_s GROUP BY second ORDER BY second
"""


def measure_recovery(evidence: Evidence) -> Recovery:
    """Goodput per offered request, second by second, against the baseline."""
    if not evidence.plan.faults:
        return Recovery(outcome="not_applicable", after_s=None, detail="no faults in this plan")
    end_s = evidence.last_undo_s
    baseline = goodput_share(evidence, "baseline")
    if end_s is None:
        return _unknown("it is not known when the last fault ended")
    if not baseline:
        return _unknown("the baseline has no goodput to compare with")
    seconds = math.floor(evidence.load_end_s - end_s + 1e-6)
    seen: dict[int, float] = dict(evidence.rows(_AFTER, end_s=end_s))
    shares = [seen.get(second, 0.0) for second in range(seconds)]
    return recovery_of(shares, baseline, goodput_share(evidence, "fault"))


def goodput_share(evidence: Evidence, phase: str) -> float | None:
    """200s per offered request of a phase; None without requests."""
    good, offered = evidence.row(_SHARE, phase=phase)
    return good / offered if offered else None


def recovery_of(shares: Sequence[float], baseline: float, during: float | None) -> Recovery:
    """The outcome, from goodput/offered of each whole second after the last fault ended.

    *metastable*: the trigger is gone, and the last three seconds are still nearer to the fault's
    goodput than to the baseline's (the state that Bronson et al., HotOS 2021, describe); *degraded*:
    better than that, but not back.

    Args:
        shares: seconds without requests count as 0.
        baseline: goodput/offered of the baseline phase, > 0.
        during: the same of the fault phase; None: not known.
    """
    if len(shares) < WINDOWS:
        return _unknown(f"only {len(shares)} whole seconds of load after the last fault")
    after = recovered_after(list(shares), baseline, WINDOWS)
    if after is not None:
        return Recovery(
            outcome="recovered",
            after_s=float(after),
            detail=f"{WINDOWS} seconds in a row with at least 95 % of the baseline's goodput",
        )
    last = sum(shares[-WINDOWS:]) / WINDOWS
    stuck = during is not None and last < (during + baseline) / 2
    return Recovery(
        outcome="metastable" if stuck else "degraded",
        after_s=None,
        detail=f"goodput ended at {last / baseline:.0%} of the baseline's",
    )


def _unknown(why: str) -> Recovery:
    return Recovery(outcome="unknown", after_s=None, detail=why)
