"""``goodput``: confirmed answers per second, absolute or against the baseline."""

from aguante.expectations.clauses import Goodput
from aguante.measure.measures import Answer
from aguante.verdict.ruling import Ruling, bound_percent, percent, unknown, window_words, within


def text(asked: Goodput) -> str:
    """``goodput in fault against the baseline``."""
    where = window_words(asked.phase, asked.operation, asked.after_s, asked.before_s)
    return f"goodput {where}" + ("" if asked.min_rps is not None else " against the baseline")


def required(asked: Goodput) -> str:
    """``>= 40 rps`` or ``>= 80 %``."""
    if asked.min_rps is not None:
        return f">= {asked.min_rps:g} rps"
    return f">= {bound_percent(asked.min_of_baseline or 0.0)}"


def judge(asked: Goodput, answer: Answer) -> Ruling:
    """A census of this run, judged as it is."""
    ruling = unknown(answer)
    if ruling or answer.observed is None:
        return ruling or Ruling("unknown", "-", "goodput was not measured")
    if asked.min_rps is not None:
        outcome = within(answer.observed, asked.min_rps, None)
        return Ruling(outcome, f"{answer.observed:.1f} rps", answer.detail)
    outcome = within(answer.observed, asked.min_of_baseline, None)
    return Ruling(outcome, percent(answer.observed), answer.detail)
