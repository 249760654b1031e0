"""``rate``: the share of a window's requests that ended in one way."""

from aguante.expectations.clauses import Rate
from aguante.measure.measures import Answer
from aguante.verdict.ruling import Ruling, bound_percent, percent, unknown, window_words, within


def text(asked: Rate) -> str:
    """``rate of 503 breaker_open from reservations in fault``."""
    given = asked.status or ("answers",)
    status = " or ".join("no answer" if each == 0 else str(each) for each in given)
    words = [status, asked.mechanism or ""]
    words += [
        f"from {asked.origin}" if asked.origin else "",
        f"on {asked.link}" if asked.link else "",
    ]
    where = window_words(asked.phase, asked.operation, asked.after_s, asked.before_s)
    return f"rate of {' '.join(word for word in words if word)} {where}"


def required(asked: Rate) -> str:
    """``>= 2 %``."""
    low = f">= {bound_percent(asked.min)}" if asked.min is not None else ""
    high = f"<= {bound_percent(asked.max)}" if asked.max is not None else ""
    return " and ".join(bound for bound in (low, high) if bound)


def judge(asked: Rate, answer: Answer) -> Ruling:
    """The rate is a census of this run and judged as it is, without an interval (design, Part 3)."""
    ruling = unknown(answer)
    if ruling or answer.observed is None:
        return ruling or Ruling("unknown", "-", "the rate was not measured")
    outcome = within(answer.observed, asked.min, asked.max)
    return Ruling(outcome, percent(answer.observed), answer.detail)
