"""From a checked Experiment to a Plan: offsets to windows, our names to the drivers'. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Literal

from aguante.expectations.registry import Clause
from aguante.experiment.experiment import Experiment, FaultSection
from aguante.experiment.toxic_rules import driver_attributes
from aguante.faults.planned_fault import PlannedFault, ProcessFault, PumbaFault, ToxiproxyFault
from aguante.faults.pumba_commands import COMMANDS, complete
from aguante.plan.plan import (
    HELPED_ONSET_MAX_S,
    ONSET_ERROR_MAX_S,
    PUMBA_ONSET_MAX_S,
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
    starts = {window.phase: window for window in phases}
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
        faults=tuple(
            planned for each in experiment.faults for planned in _faults(each, starts["fault"])
        ),
        onset_error_max_s=_onset_error_max_s(experiment),
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


def _onset_error_max_s(experiment: Experiment) -> float:
    """More with Pumba, a program that is started at each fault; other faults wait for it, in the one time line."""
    commands = [COMMANDS[each.pumba.command] for each in experiment.faults if each.pumba]
    if any(each.helper for each in commands):
        return HELPED_ONSET_MAX_S
    return PUMBA_ONSET_MAX_S if commands else ONSET_ERROR_MAX_S


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
        fault=_what(section),
    )


def _what(section: FaultSection) -> ToxiproxyFault | ProcessFault | PumbaFault:
    toxic, process, pumba = section.toxiproxy, section.process, section.pumba
    if process is not None:
        return ProcessFault.model_validate(process.model_dump(exclude_none=True))
    if pumba is not None:
        return PumbaFault(
            service=pumba.service,
            command=pumba.command,
            instance=pumba.instance or "",
            options=complete(pumba.command, pumba.options),
        )
    assert toxic is not None  # noqa: S101 - FaultSection has exactly one of the three
    return ToxiproxyFault(
        link=toxic.link,
        toxic=toxic.toxic,
        stream=toxic.stream,
        toxicity=toxic.toxicity,
        attributes=driver_attributes(toxic),
    )
