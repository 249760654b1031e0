"""An experiment as its YAML file says it, checked. Field names are the YAML's keys; units end names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    field_validator,
    model_validator,
)

from aguante.core.findings import shown
from aguante.core.mapping_rules import broken
from aguante.core.values import Name, Positive, Text, Value
from aguante.expectations.registry import Clause
from aguante.faults.fault_registry import FaultSection
from aguante.load_protocol.rates import Shape, shape_of, troubles
from aguante.testbed.testbed_spec import REPLICAS_MAX


def _one_value(value: Any) -> Any:
    if not isinstance(value, str | int | float):
        kind = "a list" if isinstance(value, list) else shown(value)
        broken(kind, "one value: text, a number, true or false", "write one value")
    if isinstance(value, float) and not isfinite(value):
        broken(shown(value), "a finite number", "write a plain number")
    return value


VarValue = Annotated[str | int | float | bool, BeforeValidator(_one_value)]


class LoadSection(Value):
    """The load. ``rate_rps`` is the rate offered, whatever the responses."""

    profile: Text
    rate_rps: Annotated[float, Field(strict=True, gt=0, le=10_000)]
    arrivals: Literal["fixed", "poisson"] = "fixed"
    mix: Annotated[dict[str, Annotated[float, Field(strict=True, gt=0, le=1)]], Field(min_length=1)]
    """Operation -> share; the shares sum to 1."""
    to_rps: Annotated[float, Field(strict=True, gt=0, le=10_000)] | None = None
    """Profiles ``ramp`` and ``step``: the rate at the end; ``spike``: at its height."""
    steps: Annotated[int, Field(strict=True, ge=2, le=100)] | None = None
    """Profile ``step``: levels of equal length."""
    at_s: Annotated[float, Field(strict=True, ge=0)] | None = None
    """Profile ``spike``: when it begins, after the load began."""
    for_s: Positive | None = None
    """Profile ``spike``: how long it lasts."""
    racers: Annotated[int, Field(strict=True, ge=2, le=1000)] | None = None
    """Profile ``race``: requests for one event that start at the same instant."""
    workers: Annotated[int, Field(strict=True, ge=1, le=64)] = 1
    """Processes that send the load, on one schedule."""
    users: Annotated[int, Field(strict=True, ge=1, le=10_000)] | None = None
    """A closed loop of so many users instead: it sends fewer requests when responses are slow, and so hides it."""

    @model_validator(mode="after")
    def _sums_to_one(self) -> "LoadSection":
        total = sum(self.mix.values())
        if abs(total - 1) > 1e-6:
            broken(f"shares that sum to {total:g}", "shares that sum to 1", "correct load.mix")
        return self

    @model_validator(mode="after")
    def _keys_of_the_profile(self) -> "LoadSection":
        for trouble in troubles(self.profile, self.shape, 1.0):
            broken(trouble.found, trouble.expected, trouble.fix)
        return self

    @property
    def shape(self) -> Shape:
        """How the profile changes the rate."""
        return shape_of(self)


Length = Annotated[float, Field(strict=True, gt=0, le=3600)]


class PhasesSection(Value):
    """How long each phase lasts, seconds; an absent phase does not happen."""

    warmup_s: Length | None = None
    baseline_s: Length
    fault_s: Length | None = None
    recovery_s: Length | None = None

    def lengths(self) -> list[tuple[str, float]]:
        """(phase, seconds) of the phases that happen, in their order."""
        pairs = (
            ("warmup", self.warmup_s),
            ("baseline", self.baseline_s),
            ("fault", self.fault_s),
            ("recovery", self.recovery_s),
        )
        return [(phase, length) for phase, length in pairs if length is not None]


class SetupSection(Value):
    """What exists before load starts, in place of what ``testbed.yaml`` says."""

    events: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = None
    capacity: Annotated[int, Field(strict=True, ge=1, le=10_000_000)] | None = None
    """Of each event."""


@dataclass(frozen=True)
class Origin:
    """The file that an experiment was read from; the defaults stand for an experiment that was not read from one."""

    source: bytes = b""
    """The file that was validated, byte for byte."""
    sets: tuple[str, ...] = ()
    """``name=value`` of each ``--set`` that was applied to it."""
    places: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """(``expect`` or ``abort_when``, index of the item) -> ``file:line``."""


class Experiment(Value):
    """A whole experiment file."""

    name: Name
    title: Text
    learn: Annotated[str, Field(strict=True, min_length=1, max_length=2000)]
    policy: Text = "default"
    replicas: dict[str, Annotated[int, Field(strict=True, ge=1, le=REPLICAS_MAX)]] = Field(
        default_factory=dict
    )
    """Service -> how many processes of it; one where it is not named."""
    vars: dict[str, VarValue] = Field(default_factory=dict)
    """Name -> value; ``${name}`` stands for it anywhere else in the file."""
    seed: Annotated[int, Field(strict=True, ge=0, le=2**32 - 1)] | None = None
    setup: SetupSection | None = None
    load: LoadSection
    phases: PhasesSection
    faults: tuple[FaultSection, ...] = ()
    expect: Annotated[tuple[Clause, ...], Field(min_length=1)]
    invariants: Literal["all"] | tuple[Text, ...] = "all"
    abort_when: tuple[Clause, ...] = ()
    expected_verdict: Literal["held", "deviated"] = "held"
    tags: tuple[Text, ...] = ()

    _origin: Origin = PrivateAttr(default=Origin())

    @field_validator("invariants", mode="before")
    @classmethod
    def _all_or_names(cls, value: Any) -> Any:
        names = isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
        if value != "all" and not names:
            broken(shown(value), "all, or a list of names", "write invariants: all")
        return value

    def late_conditions(self) -> Iterator[str]:
        """A sentence for each abort condition that cannot end the run early."""
        late = (
            "is checked only at the end of the run: "
            "it can make the run inconclusive, but not end it early"
        )
        for at, clause in enumerate(self.abort_when):
            if not clause.expectation.live:
                yield f"abort_when[{at}].{clause.expectation.kind} {late}"

    def read_from(self, origin: Origin) -> "Experiment":
        """The same experiment with the origin given."""
        copy = self.model_copy()
        copy._origin = origin
        return copy

    @property
    def origin(self) -> Origin:
        """The file that the experiment was read from."""
        return self._origin
