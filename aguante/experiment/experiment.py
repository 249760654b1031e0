"""An experiment as its YAML file says it, checked. Field names are the YAML's keys; units end names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    JsonValue,
    PrivateAttr,
    field_validator,
    model_validator,
)

from aguante.core.findings import shown
from aguante.core.mapping_rules import broken
from aguante.core.values import Value
from aguante.expectations.expectation import Positive, Text
from aguante.expectations.registry import Clause
from aguante.load_protocol.rates import Shape, shape_of, troubles
from aguante.testbed.testbed_spec import REPLICAS_MAX

NAME = r"^[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?$"
Name = Annotated[str, Field(strict=True, pattern=NAME)]


def _one_value(value: Any) -> Any:
    if not isinstance(value, str | int | float):
        kind = "a list" if isinstance(value, list) else shown(value)
        broken(kind, "one value: text, a number, true or false", "write one value")
    if isinstance(value, float) and not isfinite(value):
        broken(shown(value), "a finite number", "write a plain number")
    return value


VarValue = Annotated[str | int | float | bool, BeforeValidator(_one_value)]
DRIVERS = ("toxiproxy", "process", "pumba")
"""The keys of a fault that say what is broken."""


class LoadSection(Value):
    """Who asks for what, how often. ``rate_rps`` is offered, whatever the answers."""

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
    """Profile ``spike``: when it begins, after load did."""
    for_s: Positive | None = None
    """Profile ``spike``: how long it lasts."""
    racers: Annotated[int, Field(strict=True, ge=2, le=1000)] | None = None
    """Profile ``race``: requests for one event that start at the same instant."""
    workers: Annotated[int, Field(strict=True, ge=1, le=64)] = 1
    """Processes that send the load, on one schedule."""
    users: Annotated[int, Field(strict=True, ge=1, le=10_000)] | None = None
    """A closed loop of so many users instead: it asks less when answers are slow, and hides what it did not ask."""

    @model_validator(mode="after")
    def _sums_to_one(self) -> "LoadSection":
        total = sum(self.mix.values())
        if abs(total - 1) > 1e-6:
            broken(f"shares that sum to {total:g}", "shares that sum to 1", "correct load.mix")
        return self

    @model_validator(mode="after")
    def _words_of_the_profile(self) -> "LoadSection":
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


def gathered(model: type[Value], data: Any, name: str) -> Any:
    """In the file what belongs to one toxic or command stands beside the rest; here it is one mapping."""
    if not isinstance(data, Mapping):
        return data
    fields = set(model.model_fields) - {name}
    own = {key: value for key, value in data.items() if key in fields}
    rest = {key: value for key, value in data.items() if key not in fields}
    return {**own, name: rest}


class ToxiproxySection(Value):
    """One toxic on one link, or ``down``. Attributes carry their unit in their name."""

    link: Text
    toxic: Text
    stream: Literal["upstream", "downstream"] = "downstream"
    toxicity: Annotated[float, Field(strict=True, gt=0, le=1)] = 1.0
    """Share of *connections*: drawn once per connection, so on kept-alive ones it is all or nothing."""
    attributes: dict[str, Annotated[int, Field(strict=True)]] = Field(default_factory=dict)
    """As written, e.g. ``latency_ms: 3500``; every key that is none of the others."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        return gathered(cls, data, "attributes")


class ProcessSection(Value):
    """One action on the processes of a service, by signal."""

    service: Text
    action: Text
    """``kill``, ``stop``, ``pause`` or ``restart``."""
    instance: Text | None = None
    """``payments-1``; None: every instance of the service."""


class PumbaSection(Value):
    """One command of Pumba on the containers of a service. Options carry their unit in their name."""

    service: Text
    command: Text
    """As Pumba has it: ``kill``, ``netem delay``, ``iptables loss``, ``stress``, ..."""
    instance: Text | None = None
    """``payments-1``; None: every container of the service."""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """As written, e.g. ``delay_ms: 300``; every key that is none of the others."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        return gathered(cls, data, "options")


class RepeatSection(Value):
    """The same fault several times: at ``start_s``, ``start_s + every_s``, ..."""

    times: Annotated[int, Field(strict=True, ge=2, le=100)]
    every_s: Positive
    """From one start to the next."""


class SetupSection(Value):
    """What exists before load starts, in place of what ``testbed.yaml`` says."""

    events: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = None
    capacity: Annotated[int, Field(strict=True, ge=1, le=10_000_000)] | None = None
    """Of each event."""


class FaultSection(Value):
    """One fault; by default it holds for the whole fault phase."""

    id: Name
    start_s: Annotated[float, Field(strict=True, ge=0)] = 0.0
    """After the fault phase began."""
    duration_s: Positive | None = None
    """None: until the fault phase ends."""
    repeat: RepeatSection | None = None
    toxiproxy: ToxiproxySection | None = None
    process: ProcessSection | None = None
    pumba: PumbaSection | None = None

    @model_validator(mode="after")
    def _one_driver(self) -> "FaultSection":
        given = [each for each in DRIVERS if getattr(self, each) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "neither"
            broken(found, f"exactly one of {', '.join(DRIVERS)}", "write one fault for each")
        if self.repeat is not None and self.duration_s is None:
            broken("repeat without duration_s", "how long each time lasts", "add duration_s:")
        return self


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

    def read_from(self, origin: Origin) -> "Experiment":
        """The same experiment with the origin given."""
        copy = self.model_copy()
        copy._origin = origin
        return copy

    @property
    def origin(self) -> Origin:
        """The file that the experiment was read from."""
        return self._origin
