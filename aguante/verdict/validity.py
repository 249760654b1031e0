"""Whether a run is valid; each reason says what was found and what to do about it."""

from collections.abc import Iterator

from aguante.expectations.ruling import percent
from aguante.measure.measures import FaultMeasure, Measures
from aguante.plan.plan import Plan
from aguante.verdict.verdict import ExpectationResult

SHORTFALL_MAX = 0.05
"""Share of the offered load that may be missing; beyond it, the system was not tested with the planned load."""


Expectations = tuple[ExpectationResult, ...]


def unsteady_before(plan: Plan, measures: Measures, expectations: Expectations) -> Expectations:
    """The unmet expectations on the baseline, before any fault was applied.

    Empty for a run without faults, where the baseline itself is under test, and for a run that was stopped.
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

    For a run that was stopped this is the only reason, because missing load and faults follow from it.

    Args:
        plan: what was to happen.
        measures: what happened.
        unsteady: the result of ``unsteady_before``; listed first, because it may be the cause of the other reasons.
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
        " (--set phases.warmup_s=...), or use a less busy machine."
    )


def _fault(plan: Plan, fault: FaultMeasure) -> Iterator[str]:
    if fault.actual_start_s is None:
        yield f"Fault {fault.id} was never applied: {fault.evidence or 'no reason was recorded'}."
        return
    times_s = (fault.actual_start_s, fault.actual_held_s or fault.actual_start_s)
    error_s = max(abs(each_s - fault.planned_start_s) for each_s in times_s)
    if error_s > plan.onset_error_max_s:
        yield (
            f"Fault {fault.id} took effect {error_s:.2f} s off its planned time"
            f" (limit {plan.onset_error_max_s:g} s); the machine was too busy."
        )
    if not fault.undone_verified:
        yield f"Fault {fault.id} was not verified undone; later measurements may still show the fault."
    if not fault.injection_observed:
        yield (
            f"Fault {fault.id} ({fault.kind} on {fault.link or fault.service}) was not observed by its caller:"
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
