"""``amplification``: attempts per call on a link."""

from typing import Annotated, ClassVar

from pydantic import Field

from aguante.core.values import Text, Value
from aguante.expectations.evidence import Evidence
from aguante.expectations.expectation import Expectation, PhaseName
from aguante.expectations.measurement import Measurement
from aguante.expectations.ruling import Ruling, bounded

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


class LinkAmplification(Value):
    """Retry amplification of one link: attempts per call."""

    link: str
    calls: int
    attempts: int
    rejected: int
    """Calls refused before any attempt (breaker, bulkhead, deadline)."""


class Amplification(Expectation):
    """Attempts per call on a link: 1 means that nothing was retried."""

    kind: ClassVar[str] = "amplification"
    link: Text
    phase: PhaseName | None = None
    max: Annotated[float, Field(strict=True, ge=1)]

    def text(self) -> str:
        """``attempts per call on reservations-inventory in fault``."""
        where = f" in {self.phase}" if self.phase else ""
        return f"attempts per call on {self.link}{where}"

    def required(self) -> str:
        """``<= 1.2``."""
        return f"<= {self.max:g}"

    def measure(self, evidence: Evidence) -> Measurement:
        """Counted from spans, so unknown where spans were dropped."""
        if evidence.spans_incomplete_because:
            return Measurement.unknown(evidence.spans_incomplete_because)
        links = {each.link: each for each in measure_amplification(evidence, self.phase)}
        seen = links.get(self.link)
        if seen is None or not seen.calls:
            return Measurement.unknown(f"no call on {self.link} was traced")
        detail = (
            f"{seen.attempts} attempts for {seen.calls} calls; {seen.rejected} refused before any"
        )
        return Measurement(n=seen.calls, observed=seen.attempts / seen.calls, detail=detail)

    def decide(self, seen: Measurement) -> Ruling:
        """The ratio itself is judged."""
        return bounded(seen, "{:.2f}".format, high=self.max)


def measure_amplification(
    evidence: Evidence, phase: str | None = None
) -> tuple[LinkAmplification, ...]:
    """Calls, attempts and refusals of each link between services, of one phase or the whole run."""
    rows = evidence.rows(_AMPLIFICATION, entry=evidence.testbed.entry, phase=phase)
    return tuple(
        LinkAmplification(link=link, calls=calls, attempts=attempts, rejected=rejected)
        for link, calls, attempts, rejected in rows
    )
