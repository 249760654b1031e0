"""What is to be explained: an expectation by its number, a request by an id, or whatever went worst."""

from collections.abc import Sequence
from dataclasses import dataclass

from aguante.measure.measures import Measures
from aguante.verdict.verdict import Verdict


class UnknownSubjectError(Exception):
    """Nothing in the run is called so. Says what there is."""


@dataclass(frozen=True)
class Question:
    """What was asked; both empty: whatever went worst."""

    expectation: int | None = None
    """From 1, as the report numbers them."""
    id: str = ""
    """A reservation, a trace, or an idempotency key."""


def parse_question(words: Sequence[str]) -> Question:
    """``expectation 3``, ``3``, ``reservation ID``, ``trace ID`` or an id alone.

    Raises:
        UnknownSubjectError: something else.
    """
    kinds = ("expectation", "reservation", "trace")
    kind, rest = (words[0], words[1:]) if words and words[0] in kinds else ("", words)
    if not rest and not kind:
        return Question()
    if len(rest) != 1:
        message = f"found {' '.join(words)!r}; give expectation N, reservation ID or trace ID"
        raise UnknownSubjectError(message)
    if kind == "expectation" or (not kind and rest[0].isdecimal() and len(rest[0]) < 4):
        if not rest[0].isdecimal():
            message = f"found expectation {rest[0]!r}; give its number, from 1"
            raise UnknownSubjectError(message)
        return Question(expectation=int(rest[0]))
    return Question(id=rest[0])


def first_unmet(verdict: Verdict) -> int | None:
    """The number, from 1, of the first expectation that is unmet; else the first unknown one."""
    outcomes = [each.outcome for each in verdict.expectations]
    for word in ("unmet", "unknown"):
        if word in outcomes:
            return outcomes.index(word) + 1
    return None


def worst_second(measures: Measures) -> int | None:
    """The second with the smallest share of 200s, the first of several; None: nothing failed."""
    shares = [
        (sum(c.requests for c in each.causes if c.status == 200) / total, each.second)
        for each in measures.seconds
        if (total := sum(c.requests for c in each.causes))
    ]
    worst = min(shares, default=(1.0, 0))
    return worst[1] if worst[0] < 1 else None
