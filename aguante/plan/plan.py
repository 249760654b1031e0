"""What a run will do and what is expected of it, decided before anything starts.

A Plan is complete: no later stage needs the experiment file. It is made by ``build_plan`` from an Experiment
and a TestbedSpec and is written to the run folder as ``plan.json``. All times are seconds since t0.
"""

import shlex
from typing import Literal

from aguante.core.values import Value
from aguante.expectations.expectation import Expectation
from aguante.expectations.registry import Clause
from aguante.faults.fault_kind import ONSET_ERROR_MAX_S
from aguante.faults.planned_fault import PlannedFault
from aguante.load_protocol.rates import Curve, Shape, curve_of, shape_of


class Window(Value):
    """One phase of the run: ``[start_s, end_s)``."""

    phase: str
    start_s: float
    end_s: float


class PlannedSetup(Value):
    """What must exist before load starts."""

    events: int
    capacity: int


class PlannedLoad(Value):
    """The load of the whole run, without addresses, which are known once a testbed is up."""

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
    """Users of a closed loop; None: an open loop."""

    @property
    def shape(self) -> Shape:
        """How the profile changes the rate."""
        return shape_of(self)

    @property
    def curve(self) -> Curve:
        """The offered rate over time, seconds since t0."""
        return curve_of(self.profile, self.rate_rps, self.shape, self.duration_s)


class PlannedExpectation(Value):
    """An expectation or an abort condition, with its place in the experiment file."""

    where: str
    """``file:line``; empty when the experiment was not read from a file."""
    clause: Clause

    @property
    def asked(self) -> Expectation:
        """The expectation itself."""
        return self.clause.expectation


class Plan(Value):
    """Everything a run needs besides a running testbed, and everything that it is judged by."""

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
    setup: PlannedSetup
    testbed: str = ""
    """The TestbedSpec as given with ``--testbed``; empty: the one that the command finds by itself."""
    attach: str = ""
    """The testbed as given with ``--attach``; empty: none."""
    sets: tuple[str, ...] = ()
    """``name=value`` of each ``--set``: together with these, the frozen experiment gives this plan."""
    seed: int
    runtime: Literal["native", "compose", "attach"] = "native"
    phases: tuple[Window, ...]
    faults: tuple[PlannedFault, ...]
    load: PlannedLoad
    expect: tuple[PlannedExpectation, ...]
    abort_when: tuple[PlannedExpectation, ...] = ()
    invariants: Literal["all"] | tuple[str, ...] = "all"
    """Names of the testbed's invariants that the run is audited for."""
    expected_verdict: Literal["held", "deviated"] = "held"
    onset_error_max_s: float = ONSET_ERROR_MAX_S
    """A fault that takes effect later than this after its planned time makes the run inconclusive."""

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
        """The command that repeats this run from the same folder, with the same system, policy and random draws."""
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
