"""From a run folder to Measures: the only stage that reads rows."""

from aguante.expectations.amplification import measure_amplification
from aguante.expectations.breaker import breaker_transitions
from aguante.expectations.recovery import measure_recovery
from aguante.measure.audit.invariants import measure_invariants
from aguante.measure.example_traces import example_traces
from aguante.measure.fault_evidence import measure_fault
from aguante.measure.measures import Measures, PhasePushes
from aguante.measure.phases import (
    measure_latency,
    measure_phases,
    measure_seconds,
    measure_story,
)
from aguante.measure.run_evidence import RunEvidence, open_evidence
from aguante.measure.sampled_traces import write_traces
from aguante.measure.span_measures import (
    measure_attribution,
    measure_spans,
)
from aguante.plan.plan import Plan
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.run_log import RunLog
from aguante.testbed.testbed_spec import InvariantSpec, TestbedSpec


def measure(
    folder: RunFolder,
    plan: Plan,
    testbed: TestbedSpec,
    *,
    keep_traces: bool = False,
) -> Measures:
    """Everything that a verdict and a report need.

    Works on an unfinished run too: missing data is measured as missing.

    Args:
        folder: the evidence.
        plan: what was to happen, and what was expected.
        testbed: the system under test.
        keep_traces: also write ``traces.jsonl``, while the evidence is open.

    Raises:
        EvidenceError: an existing file of the folder cannot be read.
        OSError: ``traces.jsonl`` cannot be written.
    """
    evidence = open_evidence(folder, plan, testbed)
    try:
        if keep_traces:
            write_traces(evidence, folder.traces)
        return _measure(evidence, folder)
    finally:
        evidence.connection.close()


def _measure(evidence: RunEvidence, folder: RunFolder) -> Measures:
    log, plan = evidence.run_log, evidence.plan
    wanted = chosen_invariants(plan, evidence.testbed)
    return Measures(
        phases=measure_phases(evidence),
        measurements=tuple(each.asked.measure(evidence) for each in plan.expect),
        abort_measurements=tuple(each.asked.measure(evidence) for each in plan.abort_when),
        amplification=measure_amplification(evidence),
        breakers=breaker_transitions(evidence),
        attribution=measure_attribution(evidence),
        recovery=measure_recovery(evidence),
        load=evidence.load,
        faults=tuple(measure_fault(evidence, fault) for fault in plan.faults),
        invariants=measure_invariants(evidence, folder, wanted),
        settled=log.rest,
        settle_took_s=log.settled.took_s if log.settled else None,
        spans=measure_spans(evidence),
        seconds=measure_seconds(evidence),
        latency=measure_latency(evidence),
        samples=example_traces(evidence),
        stopped=log.stopped.reason if log.stopped else "",
        story=measure_story(evidence),
        phase_pushes=_phase_pushes(log),
    )


def _phase_pushes(log: RunLog) -> PhasePushes | None:
    seen = log.announced
    return None if seen is None else PhasePushes(taken=seen.taken, failed=seen.failed)


def chosen_invariants(plan: Plan, testbed: TestbedSpec) -> tuple[InvariantSpec, ...]:
    """The invariants that the plan names, or all of the testbed's."""
    if plan.invariants == "all":
        return testbed.invariants
    return tuple(each for each in testbed.invariants if each.name in plan.invariants)
