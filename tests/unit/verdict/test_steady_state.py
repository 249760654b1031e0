"""A system that was not in its steady state before the fault makes the run inconclusive."""

from collections.abc import Callable
from typing import Any

import pytest
from documented_expectations import CLAUSES

from aguante.expectations.measurement import Measurement
from aguante.expectations.registry import KINDS, Clause
from aguante.measure.measures import Measures
from aguante.plan.plan import Plan, PlannedExpectation
from aguante.verdict.judge import judge
from aguante.verdict.verdict import Verdict

REASON = (
    "The system was not in its steady state before the fault: rate of 200 in baseline >= 97 %,"
    " observed 78.3 % (94 of 120 requests); fix: offer less (--set load.rate_rps=...), warm up longer"
    " (--set phases.warmup_s=...), or use a less busy machine."
)
UNMET_IN_FAULT = "Unmet: rate of 504 in fault >= 2 %; observed 1.0 % (45 of 720 requests)."
Judged = Callable[..., Verdict]


def unsteady(measures: Measures, **update: object) -> Measures:
    """The first expectation of payments-slow, which is on the baseline, is unmet."""
    seen = {"observed": 94 / 120, "n": 120, "detail": "94 of 120 requests"}
    first = measures.measurements[0].model_copy(update=seen)
    return measures.model_copy(
        update={"measurements": (first, *measures.measurements[1:]), **update}
    )


def unmet_in_fault(measures: Measures) -> Measures:
    """The second expectation, which is on the fault phase, is unmet."""
    first, second, *rest = measures.measurements
    low = second.model_copy(update={"observed": 0.01})
    return measures.model_copy(update={"measurements": (first, low, *rest)})


@pytest.fixture
def judged_for(good: Measures, slow_plan: Plan) -> Judged:
    """Judge one claim with this observed value, in a run where everything else is as expected."""

    def judge_claim(claim: dict[str, Any], observed: float | None) -> Verdict:
        seen = Measurement(n=400, observed=observed, detail="evidence")
        planned = PlannedExpectation(where="x.yaml:1", clause=Clause.model_validate(claim))
        plan = slow_plan.model_copy(update={"expect": (planned,)})
        return judge(plan, good.model_copy(update={"measurements": (seen,)}))

    return judge_claim


def test_an_unsteady_baseline_makes_the_run_inconclusive(good: Measures, slow_plan: Plan) -> None:
    """The reason names the expectation, the observed value and a fix; the expectation stays unmet."""
    verdict = judge(slow_plan, unsteady(good))
    assert (verdict.verdict, verdict.exit_code) == ("inconclusive", 2)
    assert verdict.reasons == (REASON,)
    assert verdict.expectations[0].outcome == "unmet"


def test_without_a_fault_the_baseline_itself_is_under_test(good: Measures, slow_plan: Plan) -> None:
    """The same baseline in an experiment without faults deviates."""
    plan = slow_plan.model_copy(update={"faults": ()})
    verdict = judge(plan, unsteady(good, faults=()))
    assert (verdict.verdict, verdict.exit_code) == ("deviated", 1)
    assert verdict.reasons[0].startswith("Unmet: rate of 200 in baseline >= 97 %; observed 78.3 %")


def test_expectations_on_the_fault_are_listed_too(good: Measures, slow_plan: Plan) -> None:
    """The run is inconclusive, and each unmet expectation is listed once."""
    verdict = judge(slow_plan, unmet_in_fault(unsteady(good)))
    assert verdict.verdict == "inconclusive"
    assert verdict.reasons == (REASON, UNMET_IN_FAULT)


def test_a_violation_outweighs_an_unsteady_baseline(good: Measures, slow_plan: Plan) -> None:
    """A violation is proven, whatever the state of the system before the fault."""
    broken = good.invariants[0].model_copy(update={"violations": 2})
    measures = unsteady(good, invariants=(broken, *good.invariants[1:]))
    verdict = judge(slow_plan, measures)
    assert verdict.verdict == "deviated"
    assert verdict.reasons == ("Invariant seats_add_up is violated: 2 offending rows.", REASON)


def test_an_unsteady_baseline_is_the_first_reason(good: Measures, slow_plan: Plan) -> None:
    """It may be the cause of the second reason, that the fault was not observed."""
    unfelt = good.faults[0].model_copy(update={"injection_observed": False})
    verdict = judge(slow_plan, unsteady(good, faults=(unfelt,)))
    assert [each.split(" ")[0] for each in verdict.reasons] == ["The", "Fault"]


def test_a_run_that_must_deviate_cannot_deviate_by_its_baseline(
    good: Measures, slow_plan: Plan
) -> None:
    """``expected_verdict: deviated`` is not met by a system that was broken before the fault."""
    plan = slow_plan.model_copy(update={"expected_verdict": "deviated"})
    verdict = judge(plan, unmet_in_fault(unsteady(good)))
    assert (verdict.verdict, verdict.exit_code) == ("inconclusive", 2)


def test_a_stopped_run_says_so_and_lists_the_baseline_as_unmet(
    good: Measures, slow_plan: Plan
) -> None:
    """The stop is the first reason, and the steady state is not mentioned."""
    verdict = judge(slow_plan, unsteady(good, stopped="stopped by a signal"))
    assert verdict.verdict == "inconclusive"
    first, second = verdict.reasons
    assert first == "The run ended early: stopped by a signal."
    assert second.startswith("Unmet: rate of 200 in baseline >= 97 %")


def test_an_unknown_baseline_does_not_make_the_run_unsteady(
    good: Measures, slow_plan: Plan
) -> None:
    """Without data, the expectation is unknown."""
    lost = good.measurements[0].model_copy(update={"observed": None, "unknown_because": "no data"})
    measures = good.model_copy(update={"measurements": (lost, *good.measurements[1:])})
    verdict = judge(slow_plan, measures)
    assert verdict.verdict == "inconclusive"
    assert verdict.reasons == ("Unknown: rate of 200 in baseline >= 97 %; no data.",)


LINK = "reservations-payments"
KINDS_WITH_A_PHASE = [kind for kind, each in KINDS.items() if "phase" in each.model_fields]


def bad_value(claim: dict[str, Any]) -> float:
    """A value that the claim's bound excludes, whichever side it is on."""
    asked = Clause.model_validate(claim).expectation
    tried = (Measurement(n=400, observed=value) for value in (-1e9, 1e9))
    return next(seen.observed or 0.0 for seen in tried if asked.judge(seen).outcome == "unmet")


@pytest.mark.parametrize("kind", KINDS_WITH_A_PHASE)
def test_every_kind_with_a_phase_counts(kind: str, judged_for: Judged) -> None:
    """If it is unmet on the baseline, it makes the run invalid."""
    given = {
        key: value
        for key, value in CLAUSES[kind][kind].items()
        if key not in ("after_s", "before_s")
    }
    claim = {kind: given | {"phase": "baseline"}}
    verdict = judged_for(claim, bad_value(claim))
    assert verdict.verdict == "inconclusive"
    (reason,) = verdict.reasons
    assert reason.startswith("The system was not in its steady state before the fault: ")
    assert verdict.expectations[0].text in reason
    assert f"observed {verdict.expectations[0].observed} (evidence); fix: " in reason


@pytest.mark.parametrize(
    ("claim", "bad"),
    [
        ({"rate": {"phase": "warmup", "status": 200, "min": 0.97}}, 0.5),
        ({"rate": {"phase": "fault", "status": 200, "min": 0.97}}, 0.5),
        ({"goodput": {"phase": "recovery", "min_of_baseline": 0.95}}, 0.5),
        ({"attribution": {"min": 0.99}}, 0.5),
        ({"amplification": {"link": LINK, "max": 1.1}}, 2.0),
        ({"recovery": {"within_s": 10}}, None),
        ({"detection": {"within_s": 2}}, None),
        ({"achieved": {"min": 0.995}}, 0.97),
    ],
    ids=lambda each: next(iter(each)) if isinstance(each, dict) else "",
)
def test_an_unmet_expectation_on_another_time_deviates(
    claim: dict[str, Any], bad: float | None, judged_for: Judged
) -> None:
    """Another phase, the whole run, or a point in time is not the time before the fault."""
    verdict = judged_for(claim, bad)
    assert verdict.verdict == "deviated"
    assert verdict.reasons[0].startswith("Unmet: ")


def test_a_met_baseline_is_not_mentioned(judged_for: Judged) -> None:
    """A system in its steady state gives no reason."""
    verdict = judged_for({"rate": {"phase": "baseline", "status": 200, "min": 0.97}}, 0.99)
    assert verdict.verdict == "held"
