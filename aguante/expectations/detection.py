"""``detection``: how soon the system itself shows the fault, by a failed response or by a breaker that opens.

This is what a monitor could have seen first without knowing about the experiment. A response counts as failed
when a client would call it an outage: no response, 429, or 5xx. Sold out (409) and declined (402) are business
outcomes. A response counts when it *arrives*, because nobody can see it earlier.
"""

from typing import ClassVar

from aguante.core.values import Positive, Text
from aguante.expectations.breaker import breaker_times, breaker_transitions
from aguante.expectations.evidence import Evidence
from aguante.expectations.expectation import Boundary, Expectation
from aguante.expectations.measurement import Measurement, NamedValue
from aguante.expectations.ruling import Ruling, in_time

_FIRST_FAILURE = """
    SELECT min(ended_s), count(*) FROM requests
    WHERE (status = 0 OR status = 429 OR status >= 500) AND ended_s >= $start_s
      AND ($link::VARCHAR IS NULL OR link = $link)
"""
_ARRIVED = "SELECT count(*) FROM requests WHERE ended_s >= $start_s"


class Detection(Expectation):
    """The system itself shows the fault in time, by a failed response or by a breaker that opens."""

    kind: ClassVar[str] = "detection"
    follows_faults: ClassVar[bool] = True
    within_s: Positive
    """After the first fault began."""
    link: Text | None = None
    """Only failures on this link, and its breaker; None: any."""

    def text(self) -> str:
        """``detection on reservations-payments``."""
        return "detection" + (f" on {self.link}" if self.link else "")

    def required(self) -> str:
        """``<= 4 s``."""
        return f"<= {self.within_s:g} s"

    def period(self) -> tuple[Boundary, Boundary]:
        """While there are faults."""
        return "first_fault", "last_undo"

    def measure(self, evidence: Evidence) -> Measurement:
        """Seconds from the first fault to the first failed response or the first opening, whichever is earlier."""
        start_s = evidence.first_fault_s
        if start_s is None:
            return Measurement.unknown("no fault was applied")
        (arrived,) = evidence.row(_ARRIVED, start_s=start_s)
        failed_s, failures = evidence.row(_FIRST_FAILURE, start_s=start_s, link=self.link)
        failed_s = None if failed_s is None else failed_s - start_s
        seen = [b for b in breaker_transitions(evidence) if self.link in (None, b.link)]
        opened_s = breaker_times(seen, start_s, evidence.load_end_s).opened_after_s
        observed = min((each for each in (failed_s, opened_s) if each is not None), default=None)
        return Measurement(
            n=arrived,
            observed=observed,
            unknown_because=evidence.spans_incomplete_because if observed is None else "",
            detail=_sentence(failed_s, failures, opened_s),
            values=(
                NamedValue(name="failed_after_s", value=failed_s),
                NamedValue(name="opened_after_s", value=opened_s),
            ),
        )

    def decide(self, seen: Measurement) -> Ruling:
        """A silent fault, one that neither a response nor a breaker ever showed, is unmet."""
        return in_time(seen, self.within_s)


def _sentence(failed_s: float | None, failures: int, opened_s: float | None) -> str:
    failed = (
        f"the first of {failures} failed responses after {failed_s:.1f} s"
        if failed_s is not None
        else "no response failed"
    )
    opened = f"a breaker opened after {opened_s:.1f} s" if opened_s is not None else "none opened"
    return f"{failed}; {opened}"
