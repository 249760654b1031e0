"""Precedence (proven violation > invalid run > unmet > unknown > held) and the headline."""

from collections.abc import Callable
from pathlib import Path

import pytest
from synthetic_run import Span, Story, write_run

from aguante.measure.measure_run import measure
from aguante.measure.measures import FaultMeasure, InvariantMeasure, Measures
from aguante.plan.plan import Plan
from aguante.testbed.testbed_spec import TestbedSpec
from aguante.verdict.judge import judge
from aguante.verdict.verdict import Verdict

Change = Callable[[Measures], dict[str, object]]


@pytest.fixture
def judged(good: Measures, slow_plan: Plan) -> Callable[..., Verdict]:
    """Judge the good measures with some of them changed."""

    def judge_with(*changes: Change, plan: Plan = slow_plan) -> Verdict:
        update = {key: value for change in changes for key, value in change(good).items()}
        return judge(plan, good.model_copy(update=update))

    return judge_with


def violated(good: Measures) -> dict[str, object]:
    broken = good.invariants[0].model_copy(update={"violations": 2})
    return {"invariants": (broken, *good.invariants[1:])}


def unsettled(_: Measures) -> dict[str, object]:
    return {"settled": False}


def fault(good: Measures, **update: object) -> dict[str, object]:
    changed: FaultMeasure = good.faults[0].model_copy(update=update)
    return {"faults": (changed,)}


def unfelt(good: Measures) -> dict[str, object]:
    return fault(good, injection_observed=False, evidence="0 of 44 attempts show it")


def late(good: Measures) -> dict[str, object]:
    return fault(good, actual_start_s=8.6)


def slow_to_hold(good: Measures) -> dict[str, object]:
    return fault(good, actual_start_s=8.1, actual_held_s=8.7)


def never_applied(good: Measures) -> dict[str, object]:
    return fault(good, actual_start_s=None, evidence="404 proxy not found")


def not_undone(good: Measures) -> dict[str, object]:
    return fault(good, undone_verified=False)


def shortfall(good: Measures) -> dict[str, object]:
    return {"load": good.load.model_copy(update={"achieved_rps": 56.9})}


def stopped(_: Measures) -> dict[str, object]:
    return {"stopped": "stopped by a signal"}


def bad_baseline(good: Measures) -> dict[str, object]:
    low = good.abort_measurements[0].model_copy(update={"observed": 0.9})
    return {"abort_measurements": (low,)}


def unmet(good: Measures) -> dict[str, object]:
    low = good.measurements[1].model_copy(update={"observed": 0.01})
    return {"measurements": (good.measurements[0], low, *good.measurements[2:])}


def unknown(good: Measures) -> dict[str, object]:
    lost = good.measurements[0].model_copy(update={"observed": None, "unknown_because": "no data"})
    return {"measurements": (lost, *good.measurements[1:])}


def unmet_and_unknown(good: Measures) -> dict[str, object]:
    first = unknown(good)["measurements"]
    second = unmet(good)["measurements"]
    assert isinstance(first, tuple)
    assert isinstance(second, tuple)
    return {"measurements": (first[0], *second[1:])}


def unread_invariant(good: Measures) -> dict[str, object]:
    lost = good.invariants[0].model_copy(update={"error": "no such table", "exposure": 0})
    return {"invariants": (lost, *good.invariants[1:])}


def untried_invariant(good: Measures) -> dict[str, object]:
    untried: InvariantMeasure = good.invariants[0].model_copy(update={"exposure": 0})
    return {"invariants": (untried, *good.invariants[1:])}


def unasked_settling(_: Measures) -> dict[str, object]:
    return {"settled": None}


@pytest.mark.parametrize(
    ("changes", "word", "first_reason"),
    [
        ((), "held", "All 10 expectations are met, 12 invariants held."),
        ((violated,), "deviated", "Invariant seats_add_up is violated: 2 offending rows."),
        ((unsettled,), "deviated", "The system did not settle in time"),
        ((violated, unfelt, unmet), "deviated", "Invariant seats_add_up is violated"),
        ((unsettled, stopped), "deviated", "The system did not settle in time"),
        (
            (unfelt,),
            "inconclusive",
            "Fault slow (latency on reservations-payments) was not observed",
        ),
        ((unfelt, unmet), "inconclusive", "Fault slow (latency"),
        (
            (late,),
            "inconclusive",
            "Fault slow took effect 0.60 s off its planned time (limit 0.5 s)",
        ),
        ((slow_to_hold,), "inconclusive", "Fault slow took effect 0.70 s off its planned time"),
        ((never_applied,), "inconclusive", "Fault slow was never applied: 404 proxy not found."),
        ((not_undone,), "inconclusive", "Fault slow was not verified undone"),
        ((shortfall,), "inconclusive", "Only 94.8 % of the offered load was achieved"),
        ((stopped, unmet), "inconclusive", "The run ended early: stopped by a signal."),
        ((bad_baseline,), "inconclusive", "The abort condition holds: rate of 200 in baseline"),
        ((unmet,), "deviated", "Unmet: rate of 504 in fault >= 2 %; observed 1.0 %"),
        ((unmet_and_unknown,), "deviated", "Unmet: rate of 504"),
        ((unknown,), "inconclusive", "Unknown: rate of 200 in baseline >= 97 %; no data."),
        ((unread_invariant,), "inconclusive", "Invariant seats_add_up could not be checked"),
        ((unasked_settling,), "inconclusive", "Whether the system settled is not known."),
        (
            (untried_invariant,),
            "held",
            "All 10 expectations are met, 11 invariants held (1 more could",
        ),
    ],
    ids=lambda each: "+".join(c.__name__ for c in each) if isinstance(each, tuple) else None,
)
def test_precedence(
    judged: Callable[..., Verdict], changes: tuple[Change, ...], word: str, first_reason: str
) -> None:
    """The most severe finding decides the verdict and comes first among the reasons."""
    verdict = judged(*changes)
    assert verdict.verdict == word
    assert verdict.reasons[0].startswith(first_reason)


def test_every_other_reason_is_kept(judged: Callable[..., Verdict]) -> None:
    """After a violation, the reasons also list that the run was invalid and an expectation unmet."""
    reasons = judged(violated, unfelt, unmet).reasons
    assert [reason.split(" ")[0] for reason in reasons] == ["Invariant", "Fault", "Unmet:"]


def test_a_stopped_run_has_no_other_reason(judged: Callable[..., Verdict]) -> None:
    """Missing load is not reported for a run that was stopped."""
    reasons = judged(stopped, shortfall, unfelt).reasons
    assert reasons == ("The run ended early: stopped by a signal.",)


def test_load_just_above_the_limit_is_enough(judged: Callable[..., Verdict]) -> None:
    """95 % of the offered load is a valid run."""
    verdict = judged(lambda good: {"load": good.load.model_copy(update={"achieved_rps": 57.0})})
    assert verdict.verdict == "held"


def test_a_named_invariant_that_nothing_could_violate_is_unknown(
    good: Measures, slow_plan: Plan
) -> None:
    """A named invariant claims that the run tests it; ``all`` does not."""
    plan = slow_plan.model_copy(update={"invariants": ("seats_add_up",)})
    untried = good.invariants[0].model_copy(update={"exposure": 0})
    verdict = judge(plan, good.model_copy(update={"invariants": (untried,)}))
    assert verdict.verdict == "inconclusive"
    assert "nothing in this run could have violated it" in verdict.reasons[0]


def test_an_untested_invariant_never_holds(judged: Callable[..., Verdict]) -> None:
    """Its outcome is unknown, whatever the verdict is."""
    assert judged(untried_invariant).invariants[0].outcome == "unknown"


@pytest.mark.parametrize(
    ("changes", "expected", "code"),
    [
        ((), "held", 0),
        ((unmet,), "held", 1),
        ((unknown,), "held", 2),
        ((unmet,), "deviated", 0),
        ((), "deviated", 1),
        ((unknown,), "deviated", 2),
    ],
)
def test_the_exit_code_compares_with_what_was_expected(
    judged: Callable[..., Verdict],
    slow_plan: Plan,
    changes: tuple[Change, ...],
    expected: str,
    code: int,
) -> None:
    """0 for the expected verdict, 1 for the other one, 2 for neither."""
    plan = slow_plan.model_copy(update={"expected_verdict": expected})
    assert judged(*changes, plan=plan).exit_code == code


def test_a_result_has_the_place_of_its_expectation(judged: Callable[..., Verdict]) -> None:
    """file:line of the list item."""
    result = judged().expectations[1]
    assert result.where.endswith("payments-slow.yaml:12")
    assert (result.kind, result.required, result.observed) == ("rate", ">= 2 %", "6.2 %")


def test_the_headline_sums_up_the_run_in_numbers(judged: Callable[..., Verdict]) -> None:
    """Faults, failures in order of time, invariants, and recovery."""
    assert judged().headline == (
        "reservations-payments slowed by 3.5 s for 12 s: 429 semaphore_full after 1.0 s (17.5 %)"
        " and 504 timeout after 3.0 s (6.2 %), until the breaker on reservations-payments opened at"
        " 3.1 s; then 503 breaker_open in 32 ms (55.6 %); 0 orphaned charges (45 refunded or voided),"
        " 0 of 742 acknowledged reservations lost, 0 violations of the 12 exercised"
        " invariants; goodput recovered 2 s after the fault."
    )


def test_the_headline_of_a_deviated_run_names_the_violation(judged: Callable[..., Verdict]) -> None:
    """It reports violations and a missing recovery."""

    def stuck(good: Measures) -> dict[str, object]:
        update = {"outcome": "metastable", "after_s": None, "detail": "goodput ended at 21 %"}
        return {"recovery": good.recovery.model_copy(update=update)}

    headline = judged(violated, stuck).headline
    assert "2 violations of seats add up" in headline
    assert headline.endswith("goodput did not recover (metastable: goodput ended at 21 %).")


def test_without_a_breaker_the_headline_mentions_no_opening(judged: Callable[..., Verdict]) -> None:
    """Causes are listed in order of time."""
    headline = judged(lambda _: {"breakers": ()}).headline
    assert "opened" not in headline
    assert headline.index("429") < headline.index("504") < headline.index("503")


def test_a_verdict_is_read_back_as_it_was_written(judged: Callable[..., Verdict]) -> None:
    """verdict.json round-trips."""
    verdict = judged()
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


def test_judging_twice_gives_the_same_verdict(judged: Callable[..., Verdict]) -> None:
    """``judge`` is a pure function."""
    assert judged(unmet) == judged(unmet)


def test_without_the_breaker_the_run_deviates(
    tmp_path: Path, slow_plan: Plan, shop: TestbedSpec
) -> None:
    """With the same fault, the gateway stays full: reads fail, and no breaker opens."""

    def breakerless(each: Span) -> Span:
        return {**each, "events": "[]"}

    story = Story(opened_s=19.9, closed_s=19.9, change_span=breakerless)
    measures = measure(write_run(tmp_path, slow_plan, story), slow_plan, shop)
    verdict = judge(slow_plan, measures)
    unmet = [each.text for each in verdict.expectations if each.outcome == "unmet"]
    assert (verdict.verdict, verdict.exit_code) == ("deviated", 1)
    assert "breaker of reservations-payments opens <= 5 s, closes <= 9 s" in unmet
    assert "rate of 200 of read_event in fault after 6.5 s >= 95 %" in unmet
