"""``promql``: what a PromQL query gave over a part of a phase, as one number."""

from aguante.expectations.clauses import Promql
from aguante.measure.measures import Answer
from aguante.verdict.ruling import Ruling, unknown, window_words, within

QUERY_SHOWN = 120
"""Characters of the query in the sentence; the whole stands in the experiment."""


def text(asked: Promql) -> str:
    """``max of `sum(rate(x[5s]))` in fault after 3 s``."""
    query = " ".join(asked.query.split())
    shown = query if len(query) <= QUERY_SHOWN else query[: QUERY_SHOWN - 3] + "..."
    where = window_words(asked.phase, None, asked.after_s, asked.before_s)
    return f"{asked.reduce} of `{shown}` {where}"


def required(asked: Promql) -> str:
    """``>= 1 and <= 5``."""
    low = f">= {asked.min:g}" if asked.min is not None else ""
    high = f"<= {asked.max:g}" if asked.max is not None else ""
    return " and ".join(bound for bound in (low, high) if bound)


def judge(asked: Promql, answer: Answer) -> Ruling:
    """The number as it is: what stands behind it is the query's business."""
    ruling = unknown(answer)
    if ruling or answer.observed is None:
        return ruling or Ruling("unknown", "-", "Prometheus gave no value")
    return Ruling(
        within(answer.observed, asked.min, asked.max), f"{answer.observed:.4g}", answer.detail
    )
