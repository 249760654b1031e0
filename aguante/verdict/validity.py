"""Whether a run may be judged at all: each reason says what was found and what to do about it."""

from collections.abc import Iterator

from aguante.expectations.ruling import percent
from aguante.measure.measures import FaultMeasure, Measures
from aguante.plan.plan import Plan
from aguante.verdict.verdict import ExpectationResult

SHORTFALL_MAX = 0.05
"""Of the offered load; beyond it the system was not tested with what the plan says."""


Expectations = tuple[ExpectationResult, ...]


def unsteady_before(plan: Plan, measures: Measures, expectations: Expectations) -> Expectations:
    """The expectations on the baseline that were unmet although no fault held yet.

    Empty without faults, where the baseline is what is asked about, and for a run that was stopped.
    """
    if measures.stopped or not plan.faults:
        return ()
    return tuple(
        result
        for planned, result in zip(plan.expect, expectations, strict=True)
        if result.outcome == "unmet" and getattr(planned.asked, "phase", None) == "baseline"
    )


def invalid_because(plan: Plan, measures: Measures, unsteady: Expectations) -> tuple[str, ...]:
    """Every reason why this run proves nothing; empty: it is valid.

    A run that was stopped lacks load and may lack faults for that reason alone: nothing else is said.
    ``unsteady``: what ``unsteady_before`` gave; said first, since it may be why the rest was found.
    """
    if measures.stopped:
        return (f"The run ended early: {measures.stopped}.",)
    return (
        *map(_unsteady, unsteady),
        *(reason for fault in measures.faults for reason in _fault(plan, fault)),
        *_spans(measures),
        *_load(measures),
        *_aborted(plan, measures),
    )


def _unsteady(each: ExpectationResult) -> str:
    return (
        f"The system was not in its steady state before the fault: {each.text}, observed {each.observed}"
        f" ({each.reason}); fix: offer less (--set load.rate_rps=...), warm up longer"
        " (--set phases.warmup_s=...), or use a machine with less else to do."
    )


def _fault(plan: Plan, fault: FaultMeasure) -> Iterator[str]:
    if fault.actual_start_s is None:
        yield f"Fault {fault.id} was never applied: {fault.evidence or 'no reason was noted'}."
        return
    times_s = (fault.actual_start_s, fault.actual_held_s or fault.actual_start_s)
    error_s = max(abs(each_s - fault.planned_start_s) for each_s in times_s)
    if error_s > plan.onset_error_max_s:
        yield (
            f"Fault {fault.id} took hold {error_s:.2f} s off its planned time"
            f" (limit {plan.onset_error_max_s:g} s): the machine was too busy to keep time."
        )
    if not fault.undone_verified:
        yield f"Fault {fault.id} was not verified undone: what came after it may still be the fault."
    if not fault.injection_observed:
        yield (
            f"Fault {fault.id} ({fault.kind} on {fault.link or fault.service}) was not felt by its caller:"
            f" {fault.evidence or 'no attempt shows it'}."
        )


def _spans(measures: Measures) -> Iterator[str]:
    if measures.spans.lost_because:
        yield f"Evidence was lost: {measures.spans.lost_because}."


def _load(measures: Measures) -> Iterator[str]:
    load = measures.load
    if not load.offered_rps:
        yield "No load was offered."
        return
    achieved = load.achieved_rps / load.offered_rps
    if achieved < 1 - SHORTFALL_MAX:
        yield (
            f"Only {percent(achieved)} of the offered load was achieved"
            f" ({load.achieved_rps:.1f} of {load.offered_rps:.1f} rps, {load.shed} shed)."
        )


def _aborted(plan: Plan, measures: Measures) -> Iterator[str]:
    for planned, seen in zip(plan.abort_when, measures.abort_measurements, strict=True):
        ruling = planned.asked.judge(seen)
        if ruling.outcome == "met":
            asked = planned.asked.sentence()
            yield f"The abort condition holds: {asked} (observed {ruling.observed})."
