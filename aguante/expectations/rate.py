"""``rate``: the share of a window's requests that ended in one way."""

from typing import ClassVar

from pydantic import model_validator

from aguante.core.mapping_rules import at_least_one, broken
from aguante.core.statistics import wilson
from aguante.core.values import Text
from aguante.expectations.evidence import Evidence
from aguante.expectations.expectation import ASKED, MOST_FREQUENT_CAUSE, Query, RequestWindow, Share
from aguante.expectations.measurement import Measurement
from aguante.expectations.ruling import Ruling, bound_percent, bounded, bounds, percent
from aguante.expectations.statuses import Statuses, status_parameters

INDEPENDENT = ("warmup", "baseline")
"""Phases whose outcomes may be taken as independent; in a fault they share one breaker (a census)."""

_ENDED_SO = """(
    ($any_status OR list_contains($statuses::INTEGER[], status)
     OR list_contains($classes::INTEGER[], status // 100))
    AND ($origin::VARCHAR IS NULL OR origin = $origin)
    AND ($link::VARCHAR IS NULL OR link = $link)
    AND ($mechanism::VARCHAR IS NULL OR mechanism = $mechanism)
)"""


class Rate(RequestWindow):
    """Share of the window's requests that ended this way. Bounds are inclusive."""

    kind: ClassVar[str] = "rate"
    live: ClassVar[bool] = True
    status: Statuses | None = None
    """One status, a class such as ``5xx``, or a list of them."""
    origin: Text | None = None
    link: Text | None = None
    mechanism: Text | None = None
    min: Share | None = None
    max: Share | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Rate":
        chosen = (self.status, self.origin, self.link, self.mechanism)
        at_least_one(
            any(each is not None for each in chosen), "status", "origin", "link", "mechanism"
        )
        at_least_one(self.min is not None or self.max is not None, "min", "max")
        if self.min is not None and self.max is not None and self.min > self.max:
            broken(f"min {self.min:g} above max {self.max:g}", "min <= max", "exchange them")
        return self

    def text(self) -> str:
        """``rate of 503 breaker_open from reservations in fault``."""
        given = self.status or ("responses",)
        status = " or ".join("no response" if each == 0 else str(each) for each in given)
        words = [status, self.mechanism or ""]
        words += [
            f"from {self.origin}" if self.origin else "",
            f"on {self.link}" if self.link else "",
        ]
        return f"rate of {' '.join(word for word in words if word)} {self.where()}"

    def required(self) -> str:
        """``>= 2 %``."""
        return bounds(bound_percent, self.min, self.max)

    def measure(self, evidence: Evidence) -> Measurement:
        """A census of this run, with an interval where outcomes are independent (design, Part 3)."""
        counts = f"SELECT count(*), count(*) FILTER {_ENDED_SO} {ASKED}"
        n, hits = evidence.row(counts, **self.parameters, **self._ended_so())
        if not n:
            return Measurement.unknown("no request was meant to start in this window")
        interval = wilson(hits, n) if self.phase in INDEPENDENT else None
        return Measurement(
            n=n,
            observed=hits / n,
            low=interval.low if interval else None,
            high=interval.high if interval else None,
            detail=f"{hits} of {n} requests",
        )

    def decide(self, seen: Measurement) -> Ruling:
        """The rate itself is judged, without its interval."""
        return bounded(seen, percent, self.min, self.max)

    def example(self, *, met: bool) -> Query | None:
        """One of the requests that are counted; where too few are, one of the others."""
        counted = met or self.min is None
        chosen = f"{ASKED} WHERE {_ENDED_SO} = $counted {MOST_FREQUENT_CAUSE}"
        return Query(chosen, {**self.parameters, **self._ended_so(), "counted": counted})

    def _ended_so(self) -> dict[str, object]:
        chosen = {"origin": self.origin, "link": self.link, "mechanism": self.mechanism}
        return {**status_parameters(self.status), **chosen}
