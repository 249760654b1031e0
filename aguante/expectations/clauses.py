"""The kinds of expectation, as data: what is asked of the measures, and the bounds of the answer.

One class per kind; the YAML key is the field's name in ``Clause``. How each is answered stands in
``aguante/measure/measurements.py``, how the answer is judged in ``aguante/verdict/<kind>.py``.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from aguante.core.findings import shown
from aguante.core.mapping_rules import at_least_one, broken
from aguante.core.values import Positive, Text, Value
from aguante.expectations.promql_rules import promql_fault
from aguante.expectations.statuses import Status, Statuses

PhaseName = Literal["warmup", "baseline", "fault", "recovery"]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
NotNegative = Annotated[float, Field(strict=True, ge=0)]
AnyNumber = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, ge=0)]


class PartOfPhase(Value):
    """A phase, or a part of it. Of requests those count that were meant to start in it."""

    phase: PhaseName
    after_s: NotNegative = 0.0
    """Leave out what is earlier than this after the phase began."""
    before_s: Positive | None = None
    """Leave out what is later than this after the phase began."""

    @model_validator(mode="after")
    def _not_empty(self) -> "PartOfPhase":
        if self.before_s is not None and self.before_s <= self.after_s:
            broken(
                f"before_s {self.before_s:g} with after_s {self.after_s:g}",
                "before_s later than after_s",
                "exchange the two",
            )
        return self


class Window(PartOfPhase):
    """Which requests are asked about: a part of a phase, and an operation."""

    operation: Text | None = None


class Rate(Window):
    """Share of the window's requests that ended this way. Bounds are inclusive."""

    kind: ClassVar[str] = "rate"
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


USUAL_PERCENTILES = ("p50_ms_max", "p90_ms_max", "p95_ms_max", "p99_ms_max")


def percentile_of(key: str) -> float | None:
    """``p95_ms_max`` as 0.95, ``p99_9_ms_max`` as 0.999; None: the key asks for no percentile."""
    match = re.fullmatch(r"p([0-9]{1,2})(?:_([0-9]{1,2}))?_ms_max", key)
    share = float(f"{match[1]}.{match[2] or 0}") / 100 if match else 0.0
    return round(share, 6) if share > 0 else None


class Latency(Window):
    """One percentile of the latency of the window's answers with one status, in milliseconds."""

    kind: ClassVar[str] = "latency"
    INLINE: ClassVar[str] = "bounds"
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

    @classmethod
    def file_keys(cls) -> list[str]:
        """With the usual percentiles."""
        return [*super().file_keys(), *USUAL_PERCENTILES]

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


class Breaker(Value):
    """When the breaker of a link opens after the first fault began, and closes after the last ended."""

    kind: ClassVar[str] = "breaker"
    link: Text
    opens_within_s: Positive | None = None
    closes_within_s: Positive | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Breaker":
        given = self.opens_within_s is not None or self.closes_within_s is not None
        at_least_one(given, "opens_within_s", "closes_within_s")
        return self


class Recovery(Value):
    """Goodput is back within this many seconds after the last fault ended."""

    kind: ClassVar[str] = "recovery"
    within_s: Positive


class Detection(Value):
    """The system itself shows the fault so soon: by a failing answer, or by a breaker that opens."""

    kind: ClassVar[str] = "detection"
    within_s: Positive
    """After the first fault began."""
    link: Text | None = None
    """Only failures on this link, and its breaker; None: any."""


class Goodput(Window):
    """200s per second in the window; absolute, or per offered request as a share of the baseline's."""

    kind: ClassVar[str] = "goodput"
    min_rps: Positive | None = None
    min_of_baseline: Share | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> "Goodput":
        if (self.min_rps is None) == (self.min_of_baseline is None):
            found = "both" if self.min_rps is not None else "neither"
            expected = "exactly one of min_rps, min_of_baseline"
            broken(found, expected, "write one goodput expectation per bound")
        return self


class Attribution(Value):
    """Share of the non-200 answers that say where they came from: origin and mechanism."""

    kind: ClassVar[str] = "attribution"
    phase: PhaseName | None = None
    min: Share


class Amplification(Value):
    """Attempts per call on a link: 1 means that nothing was retried."""

    kind: ClassVar[str] = "amplification"
    link: Text
    phase: PhaseName | None = None
    max: Annotated[float, Field(strict=True, ge=1)]


class Promql(PartOfPhase):
    """What a PromQL query gives, once a second over a part of a phase, as one number. Bounds are inclusive."""

    kind: ClassVar[str] = "promql"
    query: Annotated[str, Field(strict=True, min_length=1, max_length=2000)]
    """Must give a number, or one series: add up the others."""
    reduce: Literal["last", "max", "min", "mean"] = "last"
    """Which of the window's values, of those that are numbers."""
    min: AnyNumber | None = None
    max: AnyNumber | None = None

    @field_validator("query")
    @classmethod
    def _is_promql(cls, query: str) -> str:
        why = promql_fault(query)
        if why:
            hint = "try it in Prometheus: `aguante up --with prometheus`"
            broken(shown(query), f"PromQL that gives a value over time ({why})", hint)
        return query

    @model_validator(mode="after")
    def _bounded(self) -> "Promql":
        at_least_one(self.min is not None or self.max is not None, "min", "max")
        if self.min is not None and self.max is not None and self.min > self.max:
            broken(f"min {self.min:g} above max {self.max:g}", "min <= max", "exchange them")
        return self


class Achieved(Value):
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


Expectation = (
    Rate
    | Latency
    | Breaker
    | Recovery
    | Detection
    | Goodput
    | Attribution
    | Amplification
    | Achieved
    | Promql
)
KINDS = (
    "rate",
    "latency",
    "breaker",
    "recovery",
    "detection",
    "goodput",
    "attribution",
    "amplification",
    "achieved",
    "promql",
)


class Clause(Value):
    """One list item under ``expect`` or ``abort_when``: exactly one kind."""

    rate: Rate | None = None
    latency: Latency | None = None
    breaker: Breaker | None = None
    recovery: Recovery | None = None
    detection: Detection | None = None
    goodput: Goodput | None = None
    attribution: Attribution | None = None
    amplification: Amplification | None = None
    achieved: Achieved | None = None
    promql: Promql | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "Clause":
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "nothing"
            expected = f"exactly one of {', '.join(KINDS)}"
            broken(found, expected, "start a new list item (-) for each expectation")
        return self

    @property
    def expectation(self) -> Expectation:
        """The one kind that was given."""
        kind = next(kind for kind in KINDS if getattr(self, kind) is not None)
        given: Expectation = getattr(self, kind)
        return given
