"""``amplification``: attempts per call on a link."""

from aguante.expectations.clauses import Amplification
from aguante.measure.measures import Answer
from aguante.verdict.ruling import Ruling, unknown, within


def text(asked: Amplification) -> str:
    """``attempts per call on reservations-inventory in fault``."""
    where = f" in {asked.phase}" if asked.phase else ""
    return f"attempts per call on {asked.link}{where}"


def required(asked: Amplification) -> str:
    """``<= 1.2``."""
    return f"<= {asked.max:g}"


def judge(asked: Amplification, answer: Answer) -> Ruling:
    """Counted from spans, so unknown where spans were dropped."""
    ruling = unknown(answer)
    if ruling or answer.observed is None:
        return ruling or Ruling("unknown", "-", "attempts were not measured")
    return Ruling(within(answer.observed, None, asked.max), f"{answer.observed:.2f}", answer.detail)
