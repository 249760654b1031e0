"""``attribution``: how many failures say where they came from."""

from aguante.expectations.clauses import Attribution
from aguante.measure.measures import Answer
from aguante.verdict.ruling import Ruling, bound_percent, percent, unknown, within


def text(asked: Attribution) -> str:
    """``failures in fault that name origin and mechanism``."""
    where = f" in {asked.phase}" if asked.phase else ""
    return f"failures{where} that name origin and mechanism"


def required(asked: Attribution) -> str:
    """``>= 99 %``."""
    return f">= {bound_percent(asked.min)}"


def judge(asked: Attribution, answer: Answer) -> Ruling:
    """A run without failures cannot show it: unknown."""
    ruling = unknown(answer)
    if ruling or answer.observed is None:
        return ruling or Ruling("unknown", "-", "attribution was not measured")
    outcome = within(answer.observed, asked.min, None)
    return Ruling(outcome, percent(answer.observed), answer.detail)
