"""The differences between two sides: rates by cause, goodput, latency, recovery, retries. Pure, from verdicts.

The unit of observation is the run. The requests of one run share a breaker and a machine, so they are not
independent. Intervals are therefore computed over runs, and only with at least five on each side.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from aguante.core.statistics import BOOTSTRAP_RUNS_MIN, bootstrap_difference
from aguante.core.values import Value
from aguante.verdict.verdict import Verdict

FORMAT_VERSION = 1
Unit = Literal["share", "ms", "s", "per_s", "ratio", "count"]
Name = tuple[str, str, Unit]
"""(phase or other group, measure, unit)."""


class Side(Value):
    """One side of a comparison."""

    label: str
    """The policy, or the id of the run."""
    runs: tuple[str, ...]
    verdicts: tuple[str, ...]
    experiments: tuple[str, ...]
    """Names, without duplicates."""


class Row(Value):
    """One measure on both sides."""

    group: str
    """The phase, or ``run``."""
    what: str
    unit: Unit
    a: float | None
    """Mean over the runs that have the value; None if none has."""
    b: float | None
    difference: float | None
    """b - a; None if a run of either side lacks the value, since the mean of the others would be biased."""
    low: float | None = None
    high: float | None = None
    a_values: tuple[float | None, ...]
    b_values: tuple[float | None, ...]

    @property
    def clear(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    @property
    def lacking(self) -> str:
        """Which sides lack the value in some runs; empty if none does."""
        sides = (("A", self.a_values), ("B", self.b_values))
        parts = [
            f"{name} has it in {sum(v is not None for v in values)} of {len(values)} runs"
            for name, values in sides
            if None in values
        ]
        return ", ".join(parts)


class Comparison(Value):
    """``compare.json``."""

    format_version: int = FORMAT_VERSION
    a: Side
    b: Side
    paired: bool
    unobserved: tuple[str, ...]
    """Runs in which a planned fault had no observed effect; with any of them, no interval is given."""
    no_interval_because: str
    """Empty if there are intervals."""
    notes: tuple[str, ...]
    rows: tuple[Row, ...]


def compare(
    label_a: str,
    a: Sequence[Verdict],
    label_b: str,
    b: Sequence[Verdict],
    *,
    paired: bool,
) -> Comparison:
    """Compare two sides.

    Args:
        label_a: name of side A.
        a: its runs, in the order of the pairs when ``paired``.
        label_b: name of side B.
        b: the runs of side B.
        paired: the n-th runs of both sides form a pair.

    Raises:
        ValueError: a side is empty, or pairs are incomplete.
    """
    if not a or not b or (paired and len(a) != len(b)):
        message = f"nothing to compare: {len(a)} runs of {label_a}, {len(b)} of {label_b}"
        raise ValueError(message)
    measured_a, measured_b = [measures_of(v) for v in a], [measures_of(v) for v in b]
    unobserved = tuple(
        v.run_id for v in (*a, *b) if not all(f.injection_observed for f in v.faults)
    )
    why = _no_interval(len(a), len(b), unobserved)
    names = dict.fromkeys(name for each in (*measured_a, *measured_b) for name in each)
    return Comparison(
        a=_side(label_a, a),
        b=_side(label_b, b),
        paired=paired,
        unobserved=unobserved,
        no_interval_because=why,
        notes=_notes(a, b),
        rows=tuple(
            _row(name, measured_a, measured_b, paired=paired, infer=not why)
            for name in sorted(names, key=_order)
        ),
    )


def measures_of(verdict: Verdict) -> dict[Name, float | None]:
    """Every comparable measure of one run, by name."""
    found: dict[Name, float | None] = {}
    for phase in verdict.phases:
        group = phase.phase
        for cause in phase.causes:
            name: Name = (
                group,
                f"{cause.status or 'no response'} {cause.mechanism}".strip(),
                "share",
            )
            found[name] = (found.get(name) or 0.0) + cause.requests / phase.requests
        found[group, "goodput", "per_s"] = phase.goodput_rps
        for each in phase.latency_of_200:
            found[group, f"p{each.p * 100:g} of the 200s", "ms"] = each.value_ms
    for claim in verdict.expectations:
        unit = _UNIT_OF_KIND.get(claim.kind, "ratio")
        found["expected", claim.text, unit] = claim.observed_value
    for link in verdict.amplification:
        if link.calls:
            found["run", f"attempts per call on {link.link}", "ratio"] = link.attempts / link.calls
    found["run", "recovery after the last fault", "s"] = verdict.recovery.after_s
    found["run", "rows that violate an invariant", "count"] = float(
        sum(each.measure.violations for each in verdict.invariants)
    )
    return found


_UNIT_OF_KIND: Mapping[str, Unit] = {
    "rate": "share",
    "attribution": "share",
    "latency": "ms",
    "breaker": "s",
    "recovery": "s",
    "detection": "s",
}
"""The unit of the observed value for each kind of expectation; a ratio or plain number for any other."""
_GROUPS = ("expected", "fault", "recovery", "baseline", "warmup", "run")
_UNITS = ("share", "per_s", "ms", "s", "ratio", "count")


def _order(name: Name) -> tuple[int, int, str]:
    """Order of the rows: the expectations first, then the fault phase, as these matter most."""
    group, what, unit = name
    return (_GROUPS.index(group) if group in _GROUPS else len(_GROUPS), _UNITS.index(unit), what)


def _row(
    name: Name,
    a: Sequence[Mapping[Name, float | None]],
    b: Sequence[Mapping[Name, float | None]],
    *,
    paired: bool,
    infer: bool,
) -> Row:
    absent = 0.0 if name[2] == "share" else None  # a cause that did not occur has a share of 0
    a_values = tuple(each.get(name, absent) for each in a)
    b_values = tuple(each.get(name, absent) for each in b)
    known_a, known_b = _known(a_values), _known(b_values)
    whole = len(known_a) == len(a_values) and len(known_b) == len(b_values)
    mean_a, mean_b = _mean(known_a), _mean(known_b)
    interval = bootstrap_difference(known_a, known_b, paired=paired) if whole and infer else None
    return Row(
        group=name[0],
        what=name[1],
        unit=name[2],
        a=mean_a,
        b=mean_b,
        difference=mean_b - mean_a if whole and mean_a is not None and mean_b is not None else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        a_values=a_values,
        b_values=b_values,
    )


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _side(label: str, verdicts: Sequence[Verdict]) -> Side:
    return Side(
        label=label,
        runs=tuple(v.run_id for v in verdicts),
        verdicts=tuple(v.verdict for v in verdicts),
        experiments=tuple(dict.fromkeys(v.experiment for v in verdicts)),
    )


def _no_interval(runs_a: int, runs_b: int, unobserved: Sequence[str]) -> str:
    if unobserved:
        return (
            f"no intervals: in {len(unobserved)} of {runs_a + runs_b} runs a planned fault had no observed effect "
            "(the run ended early, or is inconclusive); repeat them on a machine with less other work"
        )
    if min(runs_a, runs_b) >= BOOTSTRAP_RUNS_MIN:
        return ""
    return (
        f"no intervals: {runs_a} and {runs_b} runs are too few to know how much runs vary; "
        f"intervals need at least {BOOTSTRAP_RUNS_MIN} on each side (--pairs {BOOTSTRAP_RUNS_MIN})"
    )


def _notes(a: Sequence[Verdict], b: Sequence[Verdict]) -> tuple[str, ...]:
    """The limitations of the comparison."""
    notes = []
    names = sorted({v.experiment for v in (*a, *b)})
    if len(names) > 1:
        notes.append(f"These are different experiments: {', '.join(names)}.")
    open_runs = [v.run_id for v in (*a, *b) if v.verdict == "inconclusive"]
    if open_runs:
        notes.append(f"These runs are inconclusive, but included: {', '.join(open_runs)}.")
    return tuple(notes)
