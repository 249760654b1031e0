"""From Plan and Measures to the Verdict. Pure: the same arguments always give the same verdict."""

from collections.abc import Iterable, Iterator

from aguante.expectations.measurement import Measurement
from aguante.measure.measures import InvariantMeasure, Measures
from aguante.plan.plan import Plan, PlannedExpectation
from aguante.verdict.headline import headline
from aguante.verdict.validity import invalid_because, unsteady_before
from aguante.verdict.verdict import ExpectationResult, InvariantResult, Verdict, VerdictWord


def judge(plan: Plan, measures: Measures) -> Verdict:
    """Judge a run.

    Precedence: proven invariant violation > invalid run > unmet > unknown > held. Not settling in time is a
    violation too. An unmet expectation on the time before the fault makes the run invalid.
    """
    expectations = tuple(
        _expectation(planned, seen)
        for planned, seen in zip(plan.expect, measures.measurements, strict=True)
    )
    invariants = tuple(_invariant(each) for each in measures.invariants)
    word, reasons = _word(plan, measures, (expectations, invariants))
    return Verdict(
        run_id=plan.run_id,
        experiment=plan.experiment,
        title=plan.title,
        runtime=plan.runtime,
        policy=plan.policy,
        seed=plan.seed,
        verdict=word,
        expected_verdict=plan.expected_verdict,
        reasons=reasons,
        headline=headline(plan, measures),
        expectations=expectations,
        invariants=invariants,
        phases=measures.phases,
        attribution=measures.attribution,
        amplification=measures.amplification,
        breakers=measures.breakers,
        recovery=measures.recovery,
        load=measures.load,
        faults=measures.faults,
    )


def _expectation(planned: PlannedExpectation, seen: Measurement) -> ExpectationResult:
    asked = planned.asked
    ruling = asked.judge(seen)
    return ExpectationResult(
        text=asked.sentence(),
        kind=asked.kind,
        where=planned.where,
        outcome=ruling.outcome,
        observed=ruling.observed,
        required=asked.required(),
        observed_value=seen.observed,
        low=seen.low,
        high=seen.high,
        n=seen.n,
        reason=ruling.reason,
    )


def _invariant(measure: InvariantMeasure) -> InvariantResult:
    """Violated if it has rows; unknown if it could not be read, or if nothing could have violated it."""
    if measure.violations:
        return InvariantResult(name=measure.name, outcome="violated", measure=measure)
    known = not measure.error and measure.exposure > 0
    return InvariantResult(
        name=measure.name, outcome="held" if known else "unknown", measure=measure
    )


Results = tuple[tuple[ExpectationResult, ...], tuple[InvariantResult, ...]]


def _word(plan: Plan, measures: Measures, results: Results) -> tuple[VerdictWord, tuple[str, ...]]:
    expectations, invariants = results
    violated = tuple(_violations(measures, invariants))
    unsteady = unsteady_before(plan, measures, expectations)
    invalid = invalid_because(plan, measures, unsteady)
    unmet = tuple(_unmet(each for each in expectations if each not in unsteady))
    unknown = tuple(_unknown(plan, measures, results))
    if violated:
        return "deviated", (*violated, *invalid, *unmet, *unknown)
    if invalid:
        return "inconclusive", (*invalid, *unmet, *unknown)
    if unmet:
        return "deviated", (*unmet, *unknown)
    if unknown:
        return "inconclusive", unknown
    return "held", (_held(results),)


def _violations(measures: Measures, invariants: tuple[InvariantResult, ...]) -> Iterator[str]:
    for each in invariants:
        if each.outcome == "violated":
            rows = f"{each.measure.violations} offending row"
            rows += "s" if each.measure.violations > 1 else ""
            yield f"Invariant {each.name} is violated: {rows}."
    if measures.settled is False:
        yield "The system did not settle in time: work was still in progress after load and faults ended."


def _unmet(expectations: Iterable[ExpectationResult]) -> Iterator[str]:
    for each in expectations:
        if each.outcome == "unmet":
            yield f"Unmet: {each.text}; observed {each.observed} ({each.reason})."


def _unknown(plan: Plan, measures: Measures, results: Results) -> Iterator[str]:
    expectations, invariants = results
    for each in expectations:
        if each.outcome == "unknown":
            yield f"Unknown: {each.text}; {each.reason}."
    for result in invariants:
        if result.measure.error:
            yield f"Invariant {result.name} could not be checked: {result.measure.error}."
        elif result.outcome == "unknown" and plan.invariants != "all":
            yield f"Invariant {result.name} is named, but nothing in this run could have violated it."
    if measures.settled is None:
        yield "Whether the system settled is not known."


def _held(results: Results) -> str:
    expectations, invariants = results
    tried = sum(each.outcome == "held" for each in invariants)
    untried = len(invariants) - tried
    rest = f" ({untried} more could not have been violated)" if untried else ""
    return f"All {len(expectations)} expectations are met, {tried} invariants held{rest}."
