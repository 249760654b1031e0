"""``breaker``: how soon it opens after the first fault, and closes after the last."""

from aguante.expectations.clauses import Breaker
from aguante.measure.measures import Answer
from aguante.verdict.ruling import Ruling, all_of, unknown, within
from aguante.verdict.verdict import Outcome

BOUNDS = (("opens", "opened_after_s"), ("closes", "closed_after_s"))


def text(asked: Breaker) -> str:
    """``breaker of reservations-payments``."""
    return f"breaker of {asked.link}"


def required(asked: Breaker) -> str:
    """``opens <= 5 s, closes <= 9 s``."""
    return ", ".join(f"{verb} <= {bound:g} s" for verb, _, bound in _asked(asked))


def judge(asked: Breaker, answer: Answer) -> Ruling:
    """Each asked change is judged; one that did not happen is unmet."""
    ruling = unknown(answer)
    if ruling:
        return ruling
    values = {fact.name: fact.value for fact in answer.facts}
    outcomes = [_one(values, fact, bound) for _, fact, bound in _asked(asked)]
    observed = ", ".join(_said(verb, values.get(fact)) for verb, fact, _ in _asked(asked))
    return Ruling(all_of(outcomes), observed, answer.detail)


def _asked(asked: Breaker) -> list[tuple[str, str, float]]:
    bounds = (asked.opens_within_s, asked.closes_within_s)
    pairs = zip(BOUNDS, bounds, strict=True)
    return [(verb, fact, bound) for (verb, fact), bound in pairs if bound is not None]


def _one(values: dict[str, float | None], fact: str, bound_s: float) -> Outcome:
    if fact not in values:
        return "unknown"
    value = values[fact]
    return "unmet" if value is None else within(value, None, bound_s)


def _said(verb: str, value_s: float | None) -> str:
    return f"{verb} {value_s:.1f} s" if value_s is not None else f"{verb}: never"
