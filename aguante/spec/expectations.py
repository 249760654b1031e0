"""The kinds of expectation, as data: what is asked of the measures, and the bounds of the answer.

One class per kind; the YAML key is the field's name in ``Clause``. How each is answered stands in
``aguante/measure/answers.py``, how the answer is judged in ``aguante/verdict/<kind>.py``.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from aguante.spec.rules import at_least_one, broken
from aguante.values import Value

PhaseName = Literal["warmup", "baseline", "fault", "recovery"]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
Positive = Annotated[float, Field(strict=True, gt=0)]
NotNegative = Annotated[float, Field(strict=True, ge=0)]
Count = Annotated[int, Field(strict=True, ge=0)]
Status = Annotated[int, Field(strict=True, ge=0, le=599)]
"""An HTTP status; 0 stands for no answer at all."""
Text = Annotated[str, Field(strict=True, min_length=1, max_length=200)]


class Window(Value):
    """Which requests are asked about: a phase, an operation, and a part of the phase."""

    phase: PhaseName
    operation: Text | None = None
    after_s: NotNegative = 0.0
    """Leave out requests that were meant to start earlier than this after the phase began."""
    before_s: Positive | None = None
    """Leave out requests that were meant to start later than this after the phase began."""

    @model_validator(mode="after")
    def _not_empty(self) -> "Window":
        if self.before_s is not None and self.before_s <= self.after_s:
            broken(
                f"before_s {self.before_s:g} with after_s {self.after_s:g}",
                "before_s later than after_s",
                "exchange the two",
            )
        return self


class Rate(Window):
    """Share of the window's requests that ended this way. Bounds are inclusive."""

    kind: ClassVar[str] = "rate"
    status: Status | None = None
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


class Latency(Window):
    """One percentile of the latency of the window's answers with one status, in milliseconds."""

    kind: ClassVar[str] = "latency"
    of_status: Status = 200
    p50_ms_max: Positive | None = None
    p90_ms_max: Positive | None = None
    p95_ms_max: Positive | None = None
    p99_ms_max: Positive | None = None

    @property
    def p(self) -> float:
        """The percentile asked for, as a share."""
        return self._bound[0]

    @property
    def max_ms(self) -> float:
        """Its inclusive upper bound, milliseconds."""
        return self._bound[1]

    @property
    def _bounds(self) -> list[tuple[float, float]]:
        pairs = (
            (0.50, self.p50_ms_max),
            (0.90, self.p90_ms_max),
            (0.95, self.p95_ms_max),
            (0.99, self.p99_ms_max),
        )
        return [(p, bound) for p, bound in pairs if bound is not None]

    @property
    def _bound(self) -> tuple[float, float]:
        return self._bounds[0]

    @model_validator(mode="after")
    def _one_bound(self) -> "Latency":
        if len(self._bounds) != 1:
            broken(
                f"{len(self._bounds)} bounds",
                "exactly one of p50_ms_max, p90_ms_max, p95_ms_max, p99_ms_max",
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


Expectation = Rate | Latency | Breaker | Recovery | Goodput | Attribution | Amplification
KINDS = ("rate", "latency", "breaker", "recovery", "goodput", "attribution", "amplification")
LATER_KINDS = ("detection", "promql")
"""Named by the design, not yet understood: said so when used."""


class Clause(Value):
    """One list item under ``expect`` or ``abort_when``: exactly one kind."""

    rate: Rate | None = None
    latency: Latency | None = None
    breaker: Breaker | None = None
    recovery: Recovery | None = None
    goodput: Goodput | None = None
    attribution: Attribution | None = None
    amplification: Amplification | None = None

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
        kinds = (self.rate, self.latency, self.breaker, self.recovery, self.goodput)
        for each in (*kinds, self.attribution, self.amplification):
            if each is not None:
                return each
        message = "a clause without an expectation"
        raise AssertionError(message)  # the validator excludes it
