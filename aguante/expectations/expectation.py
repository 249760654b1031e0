"""What every kind of expectation has: keys with bounds, a question to the evidence, a judgement, and words.

A kind is one class in a file of its own, and ``registry.py`` lists the kinds. Field names are the YAML keys.
"""

import abc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, NamedTuple, final

from pydantic import Field, model_validator

from aguante.core.findings import Problem
from aguante.core.mapping_rules import broken
from aguante.core.values import Positive, Text, Value
from aguante.expectations.evidence import Evidence
from aguante.expectations.measurement import Measurement
from aguante.expectations.ruling import Ruling

PhaseName = Literal["warmup", "baseline", "fault", "recovery"]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
NotNegative = Annotated[float, Field(strict=True, ge=0)]
AnyNumber = Annotated[float, Field(strict=True, allow_inf_nan=False)]

Boundary = Literal["start", "first_fault", "last_undo", "end"]
"""Of a run: its start, when the first fault was applied, when the last was undone, its end."""


class Query(NamedTuple):
    """The end of a SELECT over requests, from ``FROM`` on, with its ``$parameters``."""

    sql: str
    parameters: Mapping[str, object]


@dataclass(frozen=True)
class Outline:
    """The rest of an experiment file, as far as it is legible: what an expectation must fit."""

    phases_s: Mapping[str, float]
    """Phase -> seconds; infinite where the file has a length that cannot be read."""
    rate_rps: float | None
    """The highest offered rate."""
    mix: Mapping[str, float]
    """Operation -> share of the requests."""

    def length_s(self, phase: object) -> float:
        """Length of a phase in seconds; 0 for one that does not happen."""
        return self.phases_s.get(str(phase), 0.0)


class Expectation(Value, abc.ABC):
    """One expectation or abort condition."""

    kind: ClassVar[str]
    """The YAML key."""
    live: ClassVar[bool] = False
    """Whether requests alone answer it, so that it can be judged while the run still lasts."""
    follows_faults: ClassVar[bool] = False
    """Whether it is about a fault, so that an experiment without faults cannot have it."""

    @abc.abstractmethod
    def text(self) -> str:
        """What is expected, without the bound: ``rate of 504 in fault``."""

    @abc.abstractmethod
    def required(self) -> str:
        """The bound with its unit: ``>= 2 %``."""

    @abc.abstractmethod
    def measure(self, evidence: Evidence) -> Measurement:
        """Measure what the bound is about. Never a judgement, never a guess."""

    @abc.abstractmethod
    def decide(self, seen: Measurement) -> Ruling:
        """Compare what was measured with the bound; called only where something was measured."""

    @final
    def judge(self, seen: Measurement) -> Ruling:
        """Judge what was measured. Without data the outcome is ``unknown``."""
        if seen.unknown_because or not seen.n:
            return Ruling("unknown", "-", seen.unknown_because or "there is nothing to judge")
        return self.decide(seen)

    @final
    def sentence(self) -> str:
        """The whole expectation on one line: ``rate of 504 in fault >= 2 %``."""
        return f"{self.text()} {self.required()}"

    def period(self) -> tuple[Boundary, Boundary]:
        """The part of the run that is judged where no phase is named."""
        return "start", "end"

    def example(self, *, met: bool) -> Query | None:
        """The request that best shows why the expectation is met or unmet; None: any failed one."""
        return None

    @classmethod
    def problems(cls, given: Mapping[str, object], outline: Outline) -> Iterator[Problem]:
        """What contradicts the rest of the file; paths start at the expectation.

        Args:
            given: the expectation as written; values may be of a wrong type.
            outline: the rest of the file.
        """
        yield from ()


class PartOfPhase(Expectation):
    """A phase, or a part of it. A request counts when its intended start lies in it."""

    phase: PhaseName
    after_s: NotNegative = 0.0
    """Leave out what is earlier than this after the phase began."""
    before_s: Positive | None = None
    """Leave out what is later than this after the phase began."""

    @model_validator(mode="after")
    def _not_empty(self) -> "PartOfPhase":
        if self.before_s is not None and self.before_s <= self.after_s:
            broken(
                f"before_s {self.before_s:g} with after_s {self.after_s:g}",
                "before_s later than after_s",
                "exchange the two",
            )
        return self

    def part_of(self, phase_s: tuple[float, float]) -> tuple[float, float]:
        """``[start, end)`` of the part, seconds since t0, given that of the whole phase."""
        start_s, end_s = phase_s
        until_s = end_s if self.before_s is None else start_s + self.before_s
        return start_s + self.after_s, min(until_s, end_s)

    def where(self) -> str:
        """``in fault after 6.5 s``."""
        words = [f"in {self.phase}"]
        if self.after_s:
            words.append(f"after {self.after_s:g} s")
        if self.before_s is not None:
            words.append(f"before {self.before_s:g} s")
        return " ".join(words)


ASKED = "FROM asked($phase, $operation::VARCHAR, $after_s::DOUBLE, $before_s::DOUBLE)"
"""The requests of a ``RequestWindow``, with its ``parameters``."""
MOST_FREQUENT_CAUSE = """
    ORDER BY count(*) OVER (PARTITION BY status, origin, link, mechanism) DESC, intended_s, seq LIMIT 1
"""
"""Of the requests that a WHERE leaves, the first of the most frequent cause."""


class RequestWindow(PartOfPhase):
    """The requests of a part of a phase, of all operations or one."""

    operation: Text | None = None

    @property
    def parameters(self) -> dict[str, object]:
        """The parameters of ``ASKED``."""
        return {
            "phase": self.phase,
            "operation": self.operation,
            "after_s": self.after_s,
            "before_s": self.before_s,
        }

    def where(self) -> str:
        """``of read_event in fault after 6.5 s``."""
        return (f"of {self.operation} " if self.operation else "") + super().where()

    def example(self, *, met: bool) -> Query | None:
        """The first failure of the most frequent cause."""
        return Query(f"{ASKED} WHERE status <> 200 {MOST_FREQUENT_CAUSE}", self.parameters)
