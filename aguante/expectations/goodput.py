"""``goodput``: confirmed responses per second, absolute or compared with the baseline."""

from typing import ClassVar

from pydantic import model_validator

from aguante.core.mapping_rules import broken
from aguante.core.values import Positive
from aguante.expectations.evidence import Evidence
from aguante.expectations.expectation import ASKED, RequestWindow, Share
from aguante.expectations.measurement import Measurement
from aguante.expectations.ruling import Ruling, bound_percent, bounded, percent

_COUNTS = f"SELECT count(*), count(*) FILTER (status = 200) {ASKED}"
_BASELINE = """
    SELECT count(*) FILTER (status = 200) / nullif(count(*), 0) FROM requests
    WHERE phase = 'baseline' AND ($operation::VARCHAR IS NULL OR operation = $operation)
"""


class Goodput(RequestWindow):
    """200s per second in the window; absolute, or per offered request as a share of the baseline's."""

    kind: ClassVar[str] = "goodput"
    live: ClassVar[bool] = True
    min_rps: Positive | None = None
    min_of_baseline: Share | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> "Goodput":
        if (self.min_rps is None) == (self.min_of_baseline is None):
            found = "both" if self.min_rps is not None else "neither"
            expected = "exactly one of min_rps, min_of_baseline"
            broken(found, expected, "write one goodput expectation per bound")
        return self

    def text(self) -> str:
        """``goodput in fault against the baseline``."""
        compared = "" if self.min_rps is not None else " against the baseline"
        return f"goodput {self.where()}{compared}"

    def required(self) -> str:
        """``>= 40 rps`` or ``>= 80 %``."""
        if self.min_rps is not None:
            return f">= {self.min_rps:g} rps"
        return f">= {bound_percent(self.min_of_baseline or 0.0)}"

    def measure(self, evidence: Evidence) -> Measurement:
        """A census of this run."""
        offered, good = evidence.row(_COUNTS, **self.parameters)
        if not offered:
            return Measurement.unknown("no request was meant to start in this window")
        if self.min_rps is not None:
            start_s, end_s = self.part_of(evidence.window(self.phase))
            length_s = end_s - start_s
            detail = f"{good} responses with 200 in {length_s:g} s"
            return Measurement(n=offered, observed=good / length_s, detail=detail)
        (baseline,) = evidence.row(_BASELINE, operation=self.operation)
        if not baseline:
            return Measurement.unknown("the baseline has no goodput to compare with", offered)
        detail = f"{good} of {offered} requests; {baseline:.1%} in the baseline"
        return Measurement(n=offered, observed=good / offered / baseline, detail=detail)

    def decide(self, seen: Measurement) -> Ruling:
        """The value itself is judged."""
        if self.min_rps is not None:
            return bounded(seen, "{:.1f} rps".format, low=self.min_rps)
        return bounded(seen, percent, low=self.min_of_baseline)
