"""``recovery``: goodput is back within so many seconds after the last fault."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal

from aguante.core.findings import Problem
from aguante.core.statistics import recovered_after
from aguante.core.values import Positive, Value
from aguante.expectations.evidence import Evidence
from aguante.expectations.expectation import Boundary, Expectation, Outline
from aguante.expectations.measurement import Measurement
from aguante.expectations.ruling import Ruling, in_time

WINDOWS = 3
"""Good seconds in a row that make a recovery (design, Part 3)."""

_SHARE = "SELECT count(*) FILTER (status = 200), count(*) FROM requests WHERE phase = $phase"
_AFTER = """
    SELECT floor(intended_s - $end_s)::INTEGER AS second,
           count(*) FILTER (status = 200) / count(*)
    FROM requests WHERE intended_s >= $end_s GROUP BY second ORDER BY second
"""


class RecoveryMeasure(Value):
    """How the system came back after the last fault ended."""

    outcome: Literal["recovered", "degraded", "metastable", "unknown", "not_applicable"]
    after_s: float | None
    """From the end of the last fault to the start of the first of 3 good 1 s windows."""
    detail: str = ""


class Recovery(Expectation):
    """Goodput is back within this many seconds after the last fault ended."""

    kind: ClassVar[str] = "recovery"
    follows_faults: ClassVar[bool] = True
    within_s: Positive

    @classmethod
    def problems(cls, given: Mapping[str, object], outline: Outline) -> Iterator[Problem]:
        """The recovery phase must hold the windows that make a recovery."""
        recovery_s = outline.length_s("recovery")
        if recovery_s < WINDOWS:
            expected = f"a recovery phase of at least {WINDOWS} s"
            yield Problem((), f"{recovery_s:g} s", expected, "lengthen phases.recovery_s")

    def text(self) -> str:
        """``recovery after the last fault``."""
        return "recovery after the last fault"

    def required(self) -> str:
        """``<= 10 s``."""
        return f"<= {self.within_s:g} s"

    def period(self) -> tuple[Boundary, Boundary]:
        """From the end of the last fault on."""
        return "last_undo", "end"

    def measure(self, evidence: Evidence) -> Measurement:
        """Seconds until goodput was back; None: it never was."""
        seen = measure_recovery(evidence)
        if seen.outcome in ("unknown", "not_applicable"):
            return Measurement.unknown(seen.detail)
        return Measurement(n=1, observed=seen.after_s, detail=f"{seen.outcome}: {seen.detail}")

    def decide(self, seen: Measurement) -> Ruling:
        """A system that did not come back is unmet, however short the run was after the fault."""
        return in_time(seen, self.within_s)


def measure_recovery(evidence: Evidence) -> RecoveryMeasure:
    """Goodput per offered request, second by second, against the baseline."""
    if not evidence.has_faults:
        return RecoveryMeasure(
            outcome="not_applicable", after_s=None, detail="no faults in this plan"
        )
    end_s = evidence.last_undo_s
    baseline = _goodput_share(evidence, "baseline")
    if end_s is None:
        return _unknown("it is not known when the last fault ended")
    if not baseline:
        return _unknown("the baseline has no goodput to compare with")
    seconds = math.floor(evidence.load_end_s - end_s + 1e-6)
    seen: dict[int, float] = dict(evidence.rows(_AFTER, end_s=end_s))
    shares = [seen.get(second, 0.0) for second in range(seconds)]
    return recovery_of(shares, baseline, _goodput_share(evidence, "fault"))


def _goodput_share(evidence: Evidence, phase: str) -> float | None:
    """200s per offered request of a phase; None without requests."""
    good, offered = evidence.row(_SHARE, phase=phase)
    return good / offered if offered else None


def recovery_of(shares: Sequence[float], baseline: float, during: float | None) -> RecoveryMeasure:
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
        return RecoveryMeasure(
            outcome="recovered",
            after_s=float(after),
            detail=f"{WINDOWS} seconds in a row with at least 95 % of the baseline's goodput",
        )
    last = sum(shares[-WINDOWS:]) / WINDOWS
    stuck = during is not None and last < (during + baseline) / 2
    return RecoveryMeasure(
        outcome="metastable" if stuck else "degraded",
        after_s=None,
        detail=f"goodput ended at {last / baseline:.0%} of the baseline's",
    )


def _unknown(why: str) -> RecoveryMeasure:
    return RecoveryMeasure(outcome="unknown", after_s=None, detail=why)
