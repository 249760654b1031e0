"""``breaker``: how soon a circuit breaker opens after the first fault, and closes after the last."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from pydantic import model_validator

from aguante.core.findings import Problem
from aguante.core.mapping_rules import at_least_one
from aguante.core.values import Positive, Text, Value
from aguante.expectations.evidence import Evidence
from aguante.expectations.expectation import Boundary, Expectation, Outline
from aguante.expectations.measurement import Measurement, NamedValue
from aguante.expectations.ruling import Outcome, Ruling, all_of, within

OPENED, CLOSED = "opened_after_s", "closed_after_s"

_TRANSITIONS = """
    SELECT at_s, service, coalesce(instance, ''), link, from_state, to_state
    FROM span_events WHERE name = 'breaker.transition' AND at_s IS NOT NULL
    ORDER BY at_s, service, instance, link, from_state, to_state
"""
_ATTEMPTS = "SELECT count(*) FROM attempts WHERE link = $link AND start_s >= $start_s"


class BreakerTransition(Value):
    """One change of one breaker, from the spans."""

    at_s: float
    service: str
    instance: str
    link: str
    from_state: str
    to_state: str


@dataclass(frozen=True)
class BreakerTimes:
    """Seconds after the first fault began, and after the last one ended; None: it did not happen."""

    opened_after_s: float | None
    closed_after_s: float | None


def breaker_transitions(evidence: Evidence) -> tuple[BreakerTransition, ...]:
    """Every change of every breaker, in order of time."""
    names = BreakerTransition.model_fields
    return tuple(
        BreakerTransition.model_validate(dict(zip(names, row, strict=True)))
        for row in evidence.rows(_TRANSITIONS)
    )


def breaker_times(
    transitions: Iterable[BreakerTransition], start_s: float, end_s: float
) -> BreakerTimes:
    """When the first instance opened, and when the last one had closed for good.

    Args:
        transitions: of one link, in order of time.
        start_s: of the first fault; earlier changes do not count.
        end_s: of the last fault. A breaker that closed for good before that closed after 0 s.
    """
    last: dict[tuple[str, str], BreakerTransition] = {}
    opened: float | None = None
    for each in transitions:
        if each.at_s < start_s:
            continue
        last[each.service, each.instance] = each
        if each.to_state == "open" and opened is None:
            opened = each.at_s - start_s
    if opened is None or any(each.to_state != "closed" for each in last.values()):
        return BreakerTimes(opened, None)
    return BreakerTimes(opened, max(0.0, max(each.at_s for each in last.values()) - end_s))


class Breaker(Expectation):
    """When the breaker of a link opens after the first fault began, and closes after the last ended."""

    kind: ClassVar[str] = "breaker"
    follows_faults: ClassVar[bool] = True
    link: Text
    opens_within_s: Positive | None = None
    closes_within_s: Positive | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Breaker":
        given = self.opens_within_s is not None or self.closes_within_s is not None
        at_least_one(given, "opens_within_s", "closes_within_s")
        return self

    @classmethod
    def problems(cls, given: Mapping[str, object], outline: Outline) -> Iterator[Problem]:
        """A breaker needs time to close."""
        if "closes_within_s" in given and not outline.length_s("recovery"):
            hint = "add phases.recovery_s"
            yield Problem(("closes_within_s",), "no recovery phase", "time to close", hint)

    def text(self) -> str:
        """``breaker of reservations-payments``."""
        return f"breaker of {self.link}"

    def required(self) -> str:
        """``opens <= 5 s, closes <= 9 s``."""
        return ", ".join(f"{verb} <= {bound:g} s" for verb, _, bound in self._bounds())

    def period(self) -> tuple[Boundary, Boundary]:
        """From the first fault on where it must open, from the last undo on where it must close."""
        if self.opens_within_s is None:
            return "last_undo", "end"
        return "first_fault", "last_undo" if self.closes_within_s is None else "end"

    def measure(self, evidence: Evidence) -> Measurement:
        """When the link's breakers opened and closed; unknown where spans are missing."""
        start_s, end_s = evidence.first_fault_s, evidence.last_undo_s
        if start_s is None or end_s is None:
            return Measurement.unknown("it is not known when the faults began and ended")
        if evidence.spans_incomplete_because:
            return Measurement.unknown(evidence.spans_incomplete_because)
        seen = [each for each in breaker_transitions(evidence) if each.link == self.link]
        (attempts,) = evidence.row(_ATTEMPTS, link=self.link, start_s=start_s)
        if not seen and not attempts:
            return Measurement.unknown(f"no call on {self.link} was traced")
        times = breaker_times(seen, start_s, end_s)
        return Measurement(
            n=len(seen) or attempts,
            observed=times.opened_after_s,
            detail=_sentence(times),
            values=(
                NamedValue(name=OPENED, value=times.opened_after_s),
                NamedValue(name=CLOSED, value=times.closed_after_s),
            ),
        )

    def decide(self, seen: Measurement) -> Ruling:
        """Each change asked about is judged; one that did not happen is unmet."""
        values = {each.name: each.value for each in seen.values}
        outcomes = [_outcome(values, name, bound) for _, name, bound in self._bounds()]
        observed = ", ".join(_shown(verb, values.get(name)) for verb, name, _ in self._bounds())
        return Ruling(all_of(outcomes), observed, seen.detail)

    def _bounds(self) -> list[tuple[str, str, float]]:
        """(verb, name of the value, seconds) of each bound that is given."""
        every = (
            ("opens", OPENED, self.opens_within_s),
            ("closes", CLOSED, self.closes_within_s),
        )
        return [(verb, name, bound) for verb, name, bound in every if bound is not None]


def _outcome(values: Mapping[str, float | None], name: str, bound_s: float) -> Outcome:
    if name not in values:
        return "unknown"
    value = values[name]
    return "unmet" if value is None else within(value, None, bound_s)


def _shown(verb: str, value_s: float | None) -> str:
    return f"{verb} {value_s:.1f} s" if value_s is not None else f"{verb}: never"


def _sentence(times: BreakerTimes) -> str:
    if times.opened_after_s is None:
        return "never opened"
    opened = f"opened {times.opened_after_s:.1f} s after the fault"
    if times.closed_after_s is None:
        return f"{opened}, and was not closed at the end"
    return f"{opened}, closed {times.closed_after_s:.1f} s after the fault was undone"
