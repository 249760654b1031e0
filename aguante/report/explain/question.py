"""What to explain: an expectation by its number, a request by an id, or by default what went worst."""

from collections.abc import Sequence
from dataclasses import dataclass

from aguante.measure.measures import Measures
from aguante.verdict.verdict import Verdict


class UnknownSubjectError(Exception):
    """The run has no such expectation or request; the message says what it has."""


@dataclass(frozen=True)
class Question:
    """The subject of the question; if both fields are empty, what went worst."""

    expectation: int | None = None
    """Counted from 1, as in the report."""
    id: str = ""
    """The id of a reservation or a trace, or an idempotency key."""


def parse_question(words: Sequence[str]) -> Question:
    """``expectation 3``, ``3``, ``reservation ID``, ``trace ID`` or an id alone.

    Raises:
        UnknownSubjectError: none of these.
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
            message = f"found expectation {rest[0]!r}; expected a number from 1"
            raise UnknownSubjectError(message)
        return Question(expectation=int(rest[0]))
    return Question(id=rest[0])


def first_unmet(verdict: Verdict) -> int | None:
    """The number, from 1, of the first unmet expectation, else of the first unknown one."""
    outcomes = [each.outcome for each in verdict.expectations]
    for word in ("unmet", "unknown"):
        if word in outcomes:
            return outcomes.index(word) + 1
    return None


def worst_second(measures: Measures) -> int | None:
    """The first second with the smallest share of 200s; None if no request failed."""
    shares = [
        (sum(c.requests for c in each.causes if c.status == 200) / total, each.second)
        for each in measures.seconds
        if (total := sum(c.requests for c in each.causes))
    ]
    worst = min(shares, default=(1.0, 0))
    return worst[1] if worst[0] < 1 else None
