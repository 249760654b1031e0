"""``latency``: one percentile of the answers with one status."""

from aguante.expectations.clauses import Latency
from aguante.measure.measures import Answer
from aguante.verdict.ruling import Ruling, milliseconds, unknown, window_words, within


def text(asked: Latency) -> str:
    """``p95 latency of 503 in fault``."""
    where = window_words(asked.phase, asked.operation, asked.after_s, asked.before_s)
    return f"p{asked.p * 100:g} latency of {asked.of_status} {where}"


def required(asked: Latency) -> str:
    """``<= 250 ms``."""
    return f"<= {asked.max_ms:g} ms"


def judge(asked: Latency, answer: Answer) -> Ruling:
    """The order statistic itself is judged; its interval is shown beside it."""
    ruling = unknown(answer)
    if ruling or answer.observed is None:
        return ruling or Ruling("unknown", "-", "the percentile was not measured")
    outcome = within(answer.observed, None, asked.max_ms)
    return Ruling(outcome, milliseconds(answer.observed), answer.detail)
