"""``latency``: one percentile of the responses with one status."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import ConfigDict, Field, model_validator

from aguante.core.findings import Problem
from aguante.core.mapping_rules import broken
from aguante.core.statistics import samples_needed
from aguante.core.values import Positive
from aguante.expectations.evidence import Evidence
from aguante.expectations.expectation import ASKED, Outline, Query, RequestWindow
from aguante.expectations.measurement import Measurement
from aguante.expectations.percentiles import percentiles_of
from aguante.expectations.ruling import Ruling, bounded, milliseconds
from aguante.expectations.statuses import Status

USUAL_PERCENTILES = ("p50_ms_max", "p90_ms_max", "p95_ms_max", "p99_ms_max")


def percentile_of(key: str) -> float | None:
    """``p95_ms_max`` as 0.95, ``p99_9_ms_max`` as 0.999; None: the key names no percentile."""
    match = re.fullmatch(r"p([0-9]{1,2})(?:_([0-9]{1,2}))?_ms_max", key)
    share = float(f"{match[1]}.{match[2] or 0}") / 100 if match else 0.0
    return round(share, 6) if share > 0 else None


def _percentile_keys(schema: dict[str, Any]) -> None:
    """In a file any percentile stands beside the phase; the schema lists the usual ones for completion."""
    del schema["properties"]["bounds"]
    bound = {"type": "number", "exclusiveMinimum": 0, "description": "Milliseconds."}
    schema["properties"] |= {name: dict(bound) for name in USUAL_PERCENTILES}
    schema["patternProperties"] = {"^p[0-9]{1,2}(_[0-9]{1,2})?_ms_max$": bound}


class Latency(RequestWindow):
    """One percentile of the latency of the window's responses with one status, in milliseconds."""

    model_config = ConfigDict(json_schema_extra=_percentile_keys)
    kind: ClassVar[str] = "latency"
    live: ClassVar[bool] = True
    gathers: ClassVar[str] = "bounds"
    usual_keys: ClassVar[tuple[str, ...]] = USUAL_PERCENTILES
    of_status: Status = 200
    bounds: dict[str, Positive] = Field(default_factory=dict)
    """As written: one key ``p95_ms_max``, or any other percentile, e.g. ``p99_9_ms_max``."""

    @model_validator(mode="before")
    @classmethod
    def _gather_bounds(cls, data: Any) -> Any:
        """In the file the percentile stands beside the phase; here it is a mapping of its own."""
        if not isinstance(data, Mapping):
            return data
        bounds = {key: value for key, value in data.items() if percentile_of(key) is not None}
        rest = {key: value for key, value in data.items() if key not in bounds}
        return {"bounds": bounds, **rest} if bounds else rest

    @property
    def p(self) -> float:
        """The percentile asked for, as a share."""
        return next(p for key in self.bounds if (p := percentile_of(key)))

    @property
    def max_ms(self) -> float:
        """Its inclusive upper bound, milliseconds."""
        return next(iter(self.bounds.values()))

    @model_validator(mode="after")
    def _one_bound(self) -> "Latency":
        if len(self.bounds) != 1:
            broken(
                f"{len(self.bounds)} bounds",
                f"exactly one of {', '.join(USUAL_PERCENTILES)}, or any other pNN_ms_max",
                "write one latency expectation per percentile",
            )
        return self

    @classmethod
    def problems(cls, given: Mapping[str, object], outline: Outline) -> Iterator[Problem]:
        """A percentile that even the whole window cannot support would always be unknown."""
        after_s, operation = given.get("after_s"), given.get("operation")
        window_s = outline.length_s(given.get("phase"))
        window_s -= after_s if isinstance(after_s, int | float) else 0.0
        offered = (outline.rate_rps or 0.0) * window_s * outline.mix.get(str(operation), 1.0)
        for key in given:
            p = percentile_of(key)
            needed = samples_needed(p) if p else 0
            if 0 < offered < needed:
                expected = f"at least {needed} requests for {key.removesuffix('_ms_max')}"
                hint = "ask for a lower percentile, or lengthen the phase"
                yield Problem((key,), f"about {offered:.0f}", expected, hint)

    def text(self) -> str:
        """``p95 latency of 503 in fault``."""
        return f"p{self.p * 100:g} latency of {self.of_status} {self.where()}"

    def required(self) -> str:
        """``<= 250 ms``."""
        return f"<= {self.max_ms:g} ms"

    def measure(self, evidence: Evidence) -> Measurement:
        """The order statistic with its distribution-free interval."""
        latencies = f"SELECT latency_ms AS value {ASKED} WHERE status = $of_status"
        window = {**self.parameters, "of_status": self.of_status}
        n, (value,) = percentiles_of(evidence, latencies, (self.p,), **window)
        if value.value_ms is None:
            needed = f"p{self.p * 100:g} needs {samples_needed(self.p)}"
            return Measurement.unknown(f"{n} responses with {self.of_status}, and {needed}", n)
        return Measurement(
            n=n,
            observed=value.value_ms,
            low=value.low_ms,
            high=value.high_ms,
            detail=f"of {n} responses with {self.of_status}",
        )

    def decide(self, seen: Measurement) -> Ruling:
        """The order statistic itself is judged, without its interval."""
        return bounded(seen, milliseconds, high=self.max_ms)

    def example(self, *, met: bool) -> Query | None:
        """The slowest."""
        slowest = f"{ASKED} WHERE status = $of_status ORDER BY latency_ms DESC, seq LIMIT 1"
        return Query(slowest, {**self.parameters, "of_status": self.of_status})
