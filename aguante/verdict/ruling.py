"""The three-valued logic of verdicts, and what every kind of expectation returns."""

from collections.abc import Iterable
from dataclasses import dataclass

from aguante.measure.measures import Answer
from aguante.verdict.verdict import Outcome


@dataclass(frozen=True)
class Ruling:
    """One expectation, judged."""

    outcome: Outcome
    observed: str
    """With its unit; ``-`` when unknown."""
    reason: str
    """The evidence, or why it cannot be known. One sentence without a full stop."""


def all_of(outcomes: Iterable[Outcome]) -> Outcome:
    """Kleene's strong conjunction: one ``unmet`` decides, then one ``unknown``; of nothing: ``unknown``.

    Source: S. C. Kleene, Introduction to Metamathematics (1952), section 64. No data is never met.
    """
    seen = set(outcomes)
    if "unmet" in seen:
        return "unmet"
    return "met" if seen == {"met"} else "unknown"


def within(value: float, low: float | None, high: float | None) -> Outcome:
    """Whether a known value lies in a closed range; None: no bound on that side."""
    good = (low is None or value >= low) and (high is None or value <= high)
    return "met" if good else "unmet"


def unknown(answer: Answer) -> Ruling | None:
    """The ruling on an answer that cannot be known, or that nothing stands behind; None: it can be judged."""
    if answer.unknown_because or not answer.n:
        return Ruling("unknown", "-", answer.unknown_because or "there is nothing to judge")
    return None


def soon_enough(answer: Answer, limit_s: float) -> Ruling:
    """The ruling on something that must come within so many seconds; what never came is unmet."""
    ruling = unknown(answer)
    if ruling:
        return ruling
    if answer.observed is None:
        return Ruling("unmet", "never", answer.detail)
    outcome = within(answer.observed, None, limit_s)
    return Ruling(outcome, f"{answer.observed:.1f} s", answer.detail)


def percent(share: float) -> str:
    """``0.0612`` as ``6.1 %``."""
    return f"{share * 100:.1f} %"


def bound_percent(share: float) -> str:
    """A bound as it was written: ``0.02`` as ``2 %``."""
    return f"{share * 100:g} %"


def milliseconds(value_ms: float) -> str:
    """``38.2`` as ``38 ms``, ``3.14`` as ``3.1 ms``."""
    return f"{value_ms:.0f} ms" if value_ms >= 10 else f"{value_ms:.1f} ms"


def window_words(phase: str, operation: str | None, after_s: float, before_s: float | None) -> str:
    """``of read_event in fault after 6.5 s``."""
    words = [f"of {operation}"] if operation else []
    words.append(f"in {phase}")
    if after_s:
        words.append(f"after {after_s:g} s")
    if before_s is not None:
        words.append(f"before {before_s:g} s")
    return " ".join(words)
