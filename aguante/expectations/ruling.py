"""The three-valued logic of verdicts: what judging one expectation returns."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from aguante.expectations.measurement import Measurement

Outcome = Literal["met", "unmet", "unknown"]


@dataclass(frozen=True)
class Ruling:
    """One expectation, judged."""

    outcome: Outcome
    observed: str
    """With its unit; ``-`` when unknown."""
    reason: str
    """The evidence, or why it is unknown. One sentence without a full stop."""


def all_of(outcomes: Iterable[Outcome]) -> Outcome:
    """Kleene's strong conjunction: ``unmet`` decides, then ``unknown``; of no outcomes: ``unknown``.

    Source: S. C. Kleene, Introduction to Metamathematics (1952), section 64.
    """
    seen = set(outcomes)
    if "unmet" in seen:
        return "unmet"
    return "met" if seen == {"met"} else "unknown"


def within(value: float, low: float | None, high: float | None) -> Outcome:
    """Whether a known value lies in a closed range; None: no bound on that side."""
    good = (low is None or value >= low) and (high is None or value <= high)
    return "met" if good else "unmet"


def bounded(
    seen: Measurement,
    shown: Callable[[float], str],
    low: float | None = None,
    high: float | None = None,
) -> Ruling:
    """The ruling on a value that must lie in a closed range."""
    if seen.observed is None:
        return Ruling("unknown", "-", "nothing was measured")
    return Ruling(within(seen.observed, low, high), shown(seen.observed), seen.detail)


def in_time(seen: Measurement, limit_s: float) -> Ruling:
    """The ruling on something that must happen within a time; ``unmet`` when it never did."""
    if seen.observed is None:
        return Ruling("unmet", "never", seen.detail)
    return bounded(seen, "{:.1f} s".format, high=limit_s)


def bounds(shown: Callable[[float], str], low: float | None, high: float | None) -> str:
    """A closed range in words: ``>= 2 % and <= 5 %``."""
    least = f">= {shown(low)}" if low is not None else ""
    most = f"<= {shown(high)}" if high is not None else ""
    return " and ".join(bound for bound in (least, most) if bound)


def percent(share: float) -> str:
    """``0.0612`` as ``6.1 %``."""
    return f"{share * 100:.1f} %"


def bound_percent(share: float) -> str:
    """A bound as it was written: ``0.02`` as ``2 %``."""
    return f"{share * 100:g} %"


def milliseconds(value_ms: float) -> str:
    """``38.2`` as ``38 ms``, ``3.14`` as ``3.1 ms``."""
    return f"{value_ms:.0f} ms" if value_ms >= 10 else f"{value_ms:.1f} ms"
