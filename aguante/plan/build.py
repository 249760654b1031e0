"""From a checked Experiment to a Plan: offsets to windows, our names to the drivers'. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Literal

from aguante.expectations.registry import Clause
from aguante.experiment.experiment import Experiment
from aguante.faults.fault_kind import ONSET_ERROR_MAX_S
from aguante.faults.fault_registry import FaultSection
from aguante.faults.planned_fault import PlannedFault
from aguante.plan.plan import (
    Plan,
    PlannedExpectation,
    PlannedLoad,
    PlannedSetup,
    Window,
)
from aguante.testbed.testbed_spec import TestbedSpec


def new_run_id(name: str, now: datetime, token: str) -> str:
    """``<UTC time>-<name>-<token>``: sorts by time, names the experiment, and is unique.

    Args:
        name: of the experiment.
        now: an aware time.
        token: four hex digits, drawn by the caller.

    Raises:
        ValueError: ``now`` is naive.
    """
    if now.tzinfo is None:
        message = "new_run_id expects an aware time; give one with a time zone"
        raise ValueError(message)
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{name}-{token}"


def build_plan(
    experiment: Experiment,
    testbed: TestbedSpec,
    *,
    run_id: str,
    seed: int,
    source: str,
    runtime: Literal["native", "compose", "attach"] = "native",
) -> Plan:
    """What a run will do, decided before anything starts.

    Args:
        experiment: as ``load_experiment`` returned it for this testbed.
        testbed: its ``setup`` applies where the experiment has none.
        run_id: from ``new_run_id``.
        seed: of every random draw.
        source: path of the file as given, for reports.
        runtime: which runtime starts the testbed.
    """
    phases = _windows(experiment)
    windows = {window.phase: window for window in phases}
    faults = tuple(
        planned for each in experiment.faults for planned in _faults(each, windows["fault"])
    )
    return Plan(
        run_id=run_id,
        experiment=experiment.name,
        title=experiment.title,
        learn=experiment.learn,
        source=source,
        testbed=testbed.given,
        policy=experiment.policy,
        replicas=tuple(experiment.replicas.items()),
        seed=seed,
        setup=_setup(experiment, testbed),
        sets=experiment.origin.sets,
        runtime=runtime,
        phases=phases,
        faults=faults,
        # All faults share one timeline: one that waits for a program to start holds up those after it.
        onset_error_max_s=max(
            (each.fault.onset_error_max_s for each in faults), default=ONSET_ERROR_MAX_S
        ),
        load=PlannedLoad(
            profile=experiment.load.profile,
            arrivals=experiment.load.arrivals,
            rate_rps=experiment.load.rate_rps,
            duration_s=phases[-1].end_s,
            mix=tuple(experiment.load.mix.items()),
            workers=experiment.load.workers,
            users=experiment.load.users,
            **experiment.load.shape.told(),
        ),
        expect=_placed(experiment, "expect", experiment.expect),
        abort_when=_placed(experiment, "abort_when", experiment.abort_when),
        invariants=experiment.invariants,
        expected_verdict=experiment.expected_verdict,
    )


def _placed(
    experiment: Experiment, key: str, clauses: Sequence[Clause]
) -> tuple[PlannedExpectation, ...]:
    places = experiment.origin.places
    return tuple(
        PlannedExpectation(where=places.get((key, at), ""), clause=clause)
        for at, clause in enumerate(clauses)
    )


def _windows(experiment: Experiment) -> tuple[Window, ...]:
    lengths = experiment.phases.lengths()
    ends = list(accumulate(length for _, length in lengths))
    return tuple(
        Window(phase=phase, start_s=end - length, end_s=end)
        for (phase, length), end in zip(lengths, ends, strict=True)
    )


def _setup(experiment: Experiment, testbed: TestbedSpec) -> PlannedSetup:
    own = experiment.setup
    return PlannedSetup(
        events=(own.events if own else None) or testbed.setup.events,
        capacity=(own.capacity if own else None) or testbed.setup.capacity,
    )


def _faults(section: FaultSection, phase: Window) -> list[PlannedFault]:
    """One planned fault per repetition, each with its own name and window."""
    if section.repeat is None:
        return [_fault(section, section.id, phase, section.start_s)]
    return [
        _fault(
            section, f"{section.id}#{n + 1}", phase, section.start_s + n * section.repeat.every_s
        )
        for n in range(section.repeat.times)
    ]


def _fault(section: FaultSection, name: str, phase: Window, after_s: float) -> PlannedFault:
    start_s = phase.start_s + after_s
    end_s = phase.end_s if section.duration_s is None else start_s + section.duration_s
    return PlannedFault(
        id=name,
        start_s=start_s,
        end_s=min(end_s, phase.end_s),
        fault=section.section.planned(),
    )
