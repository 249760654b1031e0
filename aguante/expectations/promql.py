"""``promql``: what a PromQL query gives over a part of a phase, as one number."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from aguante.core.findings import shown
from aguante.core.mapping_rules import at_least_one, broken
from aguante.expectations.evidence import Evidence, PromqlResult
from aguante.expectations.expectation import AnyNumber, PartOfPhase
from aguante.expectations.measurement import Measurement
from aguante.expectations.ruling import Ruling, bounded, bounds

NOT_ASKED = "the run ended before Prometheus was asked"
QUERY_SHOWN = 120
"""Characters of the query in the sentence; the experiment file has all of it."""

_REDUCE: Mapping[str, Callable[[Sequence[float]], float]] = {
    "last": lambda values: values[-1],
    "max": max,
    "min": min,
    "mean": lambda values: sum(values) / len(values),
}


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

    def text(self) -> str:
        """``max of `sum(rate(x[5s]))` in fault after 3 s``."""
        query = " ".join(self.query.split())
        short = query if len(query) <= QUERY_SHOWN else query[: QUERY_SHOWN - 3] + "..."
        return f"{self.reduce} of `{short}` {self.where()}"

    def required(self) -> str:
        """``>= 1 and <= 5``."""
        return bounds("{:g}".format, self.min, self.max)

    def measure(self, evidence: Evidence) -> Measurement:
        """What Prometheus gave while the run lasted, reduced to one number."""
        return self.reduced(evidence.promql(self.query, *self.part_of(evidence.window(self.phase))))

    def reduced(self, result: PromqlResult | None) -> Measurement:
        """Reduce the window's values, of those that are numbers; anything but one series is unknown. Pure.

        >>> result = PromqlResult(query="q", start_s=8, end_s=10, series=1,
        ...                       points=((8.0, 0.1), (9.0, 0.4), (10.0, None)))
        >>> Promql(query="q", phase="fault", reduce="max", min=0.2).reduced(result).observed
        0.4
        """
        why = _unusable(result)
        if result is None or why:
            return Measurement.unknown(why)
        values = [value for _, value in result.points if value is not None]
        detail = (
            f"{self.reduce} of {len(values)} values from {result.start_s:g} to {result.end_s:g} s"
            f" ({min(values):g} to {max(values):g})"
        )
        observed = _REDUCE[self.reduce](values)
        return Measurement(n=len(values), observed=observed, detail=detail)

    def decide(self, seen: Measurement) -> Ruling:
        """The number as it is: what it rests on is up to the query."""
        return bounded(seen, "{:.4g}".format, self.min, self.max)


def promql_fault(query: str) -> str:
    """Why a query cannot be asked over a window of time, or empty.

    Names of metrics and labels are not checked: only Prometheus knows them.

    >>> promql_fault("rate(up)")
    "expected type matrix in call to function 'rate', got vector"
    >>> promql_fault("sum(up)")
    ''
    """
    # Imported here: `aguante --help` reads no query.
    import promql_parser

    try:
        parsed = promql_parser.parse(query)
    except ValueError as why:
        return str(why)
    if isinstance(parsed, promql_parser.MatrixSelector):
        return "a range of samples has no single value: use rate() or max_over_time()"
    if isinstance(parsed, promql_parser.StringLiteral):
        return "a text is not a value"
    return ""


def _unusable(result: PromqlResult | None) -> str:
    if result is None:
        return NOT_ASKED
    if result.error:
        return result.error
    if not result.series:
        return "the query gave no series in this window (`or vector(0)` makes a 0 of that, where it means 0)"
    if result.series > 1:
        named = ", ".join(_name(each) for each in result.labels)
        more = ", ..." if result.series > len(result.labels) else ""
        return f"the query gave {result.series} series ({named}{more}): make one of them, e.g. by sum()"
    if not any(value is not None for _, value in result.points):
        return "the query gave no number in this window (a share of nothing?)"
    return ""


def _name(labels: Mapping[str, str]) -> str:
    inner = ",".join(f"{key}={value}" for key, value in sorted(labels.items()) if key != "__name__")
    return f"{labels.get('__name__', '')}{{{inner}}}"
