"""``achieved``: how much of the offered load was really sent, and how late."""

from typing import ClassVar

from pydantic import model_validator

from aguante.core.mapping_rules import broken
from aguante.core.values import Positive
from aguante.expectations.evidence import Evidence
from aguante.expectations.expectation import Expectation, Share
from aguante.expectations.measurement import Measurement
from aguante.expectations.ruling import Ruling, bound_percent, bounded, percent


class Achieved(Expectation):
    """How true the load was to its plan, over the whole run."""

    kind: ClassVar[str] = "achieved"
    min: Share | None = None
    """Requests that were sent and ended, as a share of those offered."""
    late_p99_ms_max: Positive | None = None
    """99 of 100 requests were sent at most so long after they were meant to start."""

    @model_validator(mode="after")
    def _one_bound(self) -> "Achieved":
        if (self.min is None) == (self.late_p99_ms_max is None):
            found = "both" if self.min is not None else "neither"
            expected = "exactly one of min, late_p99_ms_max"
            broken(found, expected, "write one achieved expectation per bound")
        return self

    def text(self) -> str:
        """``achieved load``."""
        return "achieved load" if self.min is not None else "p99 of the load generator's lateness"

    def required(self) -> str:
        """``>= 99.5 %``, ``<= 10 ms``."""
        if self.min is not None:
            return f">= {bound_percent(self.min)}"
        return f"<= {self.late_p99_ms_max:g} ms"

    def measure(self, evidence: Evidence) -> Measurement:
        """A census of this run."""
        seen = evidence.load
        if self.late_p99_ms_max is not None:
            late_ms = seen.lateness_p99_ms
            if late_ms is None:
                return Measurement.unknown("no request was recorded")
            return Measurement(n=seen.sent, observed=late_ms, detail=f"of {seen.sent} requests")
        if not seen.offered:
            return Measurement.unknown("no load was offered")
        share = seen.achieved_rps / seen.offered_rps
        rates = f"{seen.achieved_rps:.1f} of {seen.offered_rps:.1f} requests/s, {seen.shed} shed"
        return Measurement(n=seen.offered, observed=share, detail=rates)

    def decide(self, seen: Measurement) -> Ruling:
        """The value itself is judged."""
        if self.min is not None:
            return bounded(seen, _share, low=self.min)
        return bounded(seen, "{:.1f} ms".format, high=self.late_p99_ms_max)


def _share(value: float) -> str:
    """Two decimals near the whole: 99.96 % must not read as 100.0 %."""
    return percent(value) if value < 0.99 else f"{value * 100:.2f} %"
