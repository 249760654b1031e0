"""``achieved``: how much of the offered load was really sent and answered or given up, and how late."""

from aguante.expectations.clauses import Achieved
from aguante.measure.measures import Answer
from aguante.verdict.ruling import Ruling, bound_percent, percent, unknown, within


def text(asked: Achieved) -> str:
    """``achieved load``."""
    return "achieved load" if asked.min is not None else "p99 of the load generator's lateness"


def required(asked: Achieved) -> str:
    """``>= 99.5 %``, ``<= 10 ms``."""
    if asked.min is not None:
        return f">= {bound_percent(asked.min)}"
    return f"<= {asked.late_p99_ms_max:g} ms"


def judge(asked: Achieved, answer: Answer) -> Ruling:
    """A census of this run, judged as it is."""
    ruling = unknown(answer)
    if ruling or answer.observed is None:
        return ruling or Ruling("unknown", "-", "no load was recorded")
    if asked.min is not None:
        # three decimals of a percent: 99.96 % must not read as 100.0 %
        shown = (
            percent(answer.observed) if answer.observed < 0.99 else f"{answer.observed * 100:.2f} %"
        )
        return Ruling(within(answer.observed, asked.min, None), shown, answer.detail)
    outcome = within(answer.observed, None, asked.late_p99_ms_max)
    return Ruling(outcome, f"{answer.observed:.1f} ms", answer.detail)
