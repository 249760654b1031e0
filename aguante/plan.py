"""What a run will do, decided before anything starts: windows, faults with their times, load, seed.

A Plan is made by ``build_plan`` from an Experiment and a TestbedSpec and is written to the run folder
as ``plan.json``. All times are seconds since t0.
"""

import shlex
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from aguante.drivers.pumba_options import OptionValue
from aguante.rates import Curve, Shape, curve_of, shape_of
from aguante.values import Value

ONSET_ERROR_MAX_S = 0.5
PUMBA_ONSET_MAX_S = 1.0
"""Pumba is a program that is started then: 0.1 to 0.4 s on two cores."""
HELPED_ONSET_MAX_S = 2.5
"""Where Pumba starts a container of its own before the fault: 0.6 to 1.4 s on two cores."""


class Window(Value):
    """One phase of the run: ``[start_s, end_s)``."""

    phase: str
    start_s: float
    end_s: float


class ToxiproxyFault(Value):
    """One toxic on one link, or ``down`` (the proxy disabled)."""

    driver: Literal["toxiproxy"] = "toxiproxy"
    link: str
    toxic: str
    """Toxiproxy's own name of the toxic (``latency``, ``reset_peer``, ...), or ``down``."""
    stream: Literal["upstream", "downstream"] = "downstream"
    toxicity: float = 1.0
    """Share of *connections* affected, 0..1: Toxiproxy draws once per connection, not per request."""
    attributes: tuple[tuple[str, int], ...] = ()
    """Toxiproxy's own attribute names and units, e.g. ``(("latency", 3500), ("jitter", 200))``."""


class ProcessFault(Value):
    """One signal to the processes of one service."""

    driver: Literal["process"] = "process"
    service: str
    action: Literal["kill", "stop", "pause", "restart"]
    instance: str = ""
    """``payments-1``; empty: every instance of the service."""


class PumbaFault(Value):
    """One command of Pumba on the containers of one service."""

    driver: Literal["pumba"] = "pumba"
    service: str
    command: str
    """A name of ``aguante.drivers.pumba_commands.COMMANDS``."""
    instance: str = ""
    """``payments-1``; empty: every container of the service."""
    options: tuple[tuple[str, OptionValue], ...] = ()
    """All of them, by our own names, e.g. ``(("delay_ms", 300), ("jitter_ms", 0), ...)``."""


F = TypeVar("F", ToxiproxyFault, ProcessFault, PumbaFault)


class PlannedFault(Value):
    """A fault and when it holds. One that repeats is planned as several, ``id#1``, ``id#2``, ..."""

    id: str
    fault: Annotated[ToxiproxyFault | ProcessFault | PumbaFault, Field(discriminator="driver")]
    start_s: float
    end_s: float

    @property
    def toxiproxy(self) -> ToxiproxyFault:
        """The fault as one of a link.

        Raises:
            TypeError: it is none.
        """
        return self._as(ToxiproxyFault)

    @property
    def process(self) -> ProcessFault:
        """The fault as one of processes.

        Raises:
            TypeError: it is none.
        """
        return self._as(ProcessFault)

    @property
    def pumba(self) -> PumbaFault:
        """The fault as one of containers, by Pumba.

        Raises:
            TypeError: it is none.
        """
        return self._as(PumbaFault)

    def _as(self, kind: type[F]) -> F:
        if isinstance(self.fault, kind):
            return self.fault
        wanted = kind.model_fields["driver"].default
        message = f"fault {self.id} is one by {self.fault.driver}, not by {wanted}"
        raise TypeError(message)

    @property
    def kind(self) -> str:
        """The toxic (or ``down``), the action on a process, or Pumba's command."""
        match self.fault:
            case ToxiproxyFault(toxic=kind) | ProcessFault(action=kind) | PumbaFault(command=kind):
                return kind

    @property
    def target(self) -> str:
        """What it is done to: the link, the service, or one instance of it."""
        if isinstance(self.fault, ToxiproxyFault):
            return self.fault.link
        return self.fault.instance or self.fault.service


class PlannedSetup(Value):
    """What must exist before load starts."""

    events: int
    capacity: int


class PlannedLoad(Value):
    """The load of the whole run, without addresses (those are known once a testbed is up)."""

    profile: str
    arrivals: Literal["fixed", "poisson"] = "fixed"
    rate_rps: float
    duration_s: float
    mix: tuple[tuple[str, float], ...]
    timeout_s: float = 7.0
    to_rps: float | None = None
    steps: int | None = None
    at_s: float | None = None
    for_s: float | None = None
    racers: int | None = None
    workers: int = 1
    users: int | None = None
    """A closed loop of so many; None: an open one."""

    @property
    def shape(self) -> Shape:
        """How the profile changes the rate."""
        return shape_of(self)

    @property
    def curve(self) -> Curve:
        """The offered rate over time, seconds since t0."""
        return curve_of(self.profile, self.rate_rps, self.shape, self.duration_s)


class Plan(Value):
    """Everything a run needs besides a running testbed."""

    run_id: str
    """``<UTC time>-<name>-<4 hex>``; also the run folder's name and the prefix of toxic names."""
    experiment: str
    title: str
    learn: str
    source: str
    """Path of the experiment file as given."""
    policy: str
    """Name of the policy file, without ``.yaml``."""
    replicas: tuple[tuple[str, int], ...] = ()
    """(service, how many processes of it); one where it is not named."""
    setup: PlannedSetup | None = None
    """None: as the TestbedSpec says."""
    testbed: str = ""
    """The TestbedSpec as ``--testbed`` gave it; empty: the one that the command finds by itself."""
    attach: str = ""
    """The testbed as ``--attach`` gave it; empty: none was given."""
    sets: tuple[str, ...] = ()
    """``name=value`` of each ``--set``: the frozen experiment means what it meant together with these."""
    seed: int
    runtime: Literal["native", "compose", "attach"] = "native"
    phases: tuple[Window, ...]
    faults: tuple[PlannedFault, ...]
    load: PlannedLoad
    expected_verdict: Literal["held", "deviated"] = "held"
    onset_error_max_s: float = ONSET_ERROR_MAX_S
    """A fault that bit later than this after its planned time makes the run inconclusive."""

    def window(self, phase: str) -> Window:
        """The window of a phase.

        Raises:
            KeyError: no such phase in this plan.
        """
        for window in self.phases:
            if window.phase == phase:
                return window
        raise KeyError(phase)

    @property
    def command(self) -> str:
        """What plays this run again from the same folder: system, policy and random draws are the same."""
        words = ["aguante", "run", self.source]
        words += ["--testbed", self.testbed] if self.testbed else []
        if self.attach:
            words += ["--attach", self.attach]
        elif self.runtime != "native":
            words += ["--runtime", self.runtime]
        words += [word for text in self.sets for word in ("--set", text)]
        return shlex.join([*words, "--policy", self.policy, "--seed", str(self.seed)])

    @property
    def end_s(self) -> float:
        """When the last phase ends, seconds since t0."""
        return self.phases[-1].end_s
