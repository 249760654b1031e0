"""Comparing two sides: worked examples by hand, and no interval where none is honest."""

import json
import sys
from pathlib import Path

import pytest

from aguante.core.statistics import bootstrap_difference
from aguante.report.comparison_page import comparison_html, comparison_text, difference, interval
from aguante.report.differences import Comparison, Row, compare, measures_of
from aguante.verdict.verdict import Verdict

# The hand-made verdicts live beside the tests of the report.
sys.path.append(str(Path(__file__).parents[1] / "report"))
from report_factory import held_run
from report_variants import deviated_run


def verdict(number: int = 0, *, goodput: float = 12.0, **changes: object) -> Verdict:
    """payments-slow as it was held, with another goodput in the fault."""
    held = held_run().verdict
    phases = tuple(
        p.model_copy(update={"goodput_rps": goodput}) if p.phase == "fault" else p
        for p in held.phases
    )
    return held.model_copy(update={"run_id": f"run-{number}", "phases": phases, **changes})


def row(found: Comparison, group: str, what: str) -> Row:
    (only,) = [each for each in found.rows if (each.group, each.what) == (group, what)]
    return only


def test_a_difference_is_b_minus_a() -> None:
    """Goodput 12 and 14 per second: plus 2, and a share in percentage points."""
    found = compare("x", [verdict()], "y", [verdict(goodput=14.0)], paired=False)
    goodput = row(found, "fault", "goodput")
    assert (goodput.a, goodput.b, goodput.difference) == (12.0, 14.0, 2.0)
    assert difference("per_s", goodput.difference) == "+2.0/s"
    assert difference("share", -0.125) == "\N{MINUS SIGN}12.5\N{NO-BREAK SPACE}pp"
    assert difference("ms", 0.0).startswith("±")


def test_a_cause_that_did_not_occur_has_a_share_of_nothing() -> None:
    """Not "unknown": 503 breaker_open falls from its share to 0 without a breaker."""
    a, b = held_run().verdict, deviated_run().verdict
    found = compare("default", [a], "no-breaker", [b], paired=False)
    phase = next(p for p in a.phases if p.phase == "fault")
    opened = sum(c.requests for c in phase.causes if c.mechanism == "breaker_open")
    rejected = row(found, "fault", "503 breaker_open")
    assert rejected.a == pytest.approx(opened / phase.requests)
    assert rejected.difference == pytest.approx((rejected.b or 0) - (rejected.a or 0))


def test_shares_of_a_phase_sum_to_one() -> None:
    """Causes on different links with the same name are one row."""
    for each in (held_run().verdict, deviated_run().verdict):
        measured = measures_of(each)
        for phase in each.phases:
            shares = [v for (g, _, u), v in measured.items() if g == phase.phase and u == "share"]
            assert sum(v or 0 for v in shares) == pytest.approx(1)


def test_what_the_experiment_asks_about_comes_first() -> None:
    """Each expectation is a measure too: it may ask of one operation or a part of a phase."""
    side = [held_run().verdict]
    rows = compare("x", side, "y", side, paired=False).rows
    asked = [each for each in rows if each.group == "expected"]
    assert list(rows[: len(asked)]) == asked
    assert [each.what for each in asked if each.unit == "share"]
    by_text = {e.text: e.observed_value for e in side[0].expectations}
    assert {each.what: each.a for each in asked} == by_text


@pytest.mark.parametrize("runs", [1, 4])
def test_fewer_than_five_runs_give_no_interval_and_say_why(runs: int) -> None:
    """The run is the unit, however many requests it had."""
    side = [verdict(at, goodput=12 + at) for at in range(runs)]
    found = compare("x", side, "y", side, paired=True)
    assert all(each.low is None and each.high is None for each in found.rows)
    assert f"{runs} and {runs} runs are too few" in found.no_interval_because
    assert "too few" in comparison_text(found)


def test_five_pairs_give_an_interval_over_runs() -> None:
    """Every pair differs by 2 to 3: so does the mean of any resample, and zero is left out."""
    a = [verdict(at, goodput=10 + at) for at in range(5)]
    b = [verdict(at, goodput=12 + at + at / 4) for at in range(5)]
    goodput = row(compare("x", a, "y", b, paired=True), "fault", "goodput")
    assert goodput.difference == pytest.approx(2.5)
    assert 2.0 <= (goodput.low or 0) < 2.5 < (goodput.high or 0) <= 3.0
    assert goodput.clear
    same = row(compare("x", a, "y", a, paired=True), "fault", "goodput")
    assert (same.low, same.high, same.clear) == (0, 0, False)


def test_pairing_removes_what_both_runs_of_a_pair_share() -> None:
    """Rounds drift by 10 per second; within each pair the difference is 1."""
    a, b = [10.0, 20, 30, 40, 50], [11.0, 21, 31, 41, 51]
    paired = bootstrap_difference(a, b, paired=True)
    alone = bootstrap_difference(a, b, paired=False)
    assert paired is not None
    assert alone is not None
    assert (paired.low, paired.high) == (1, 1)
    assert alone.low < -5 < 5 < alone.high


def test_the_bootstrap_of_five_values_by_hand() -> None:
    """0, 0, 0, 0, 5: a resample's mean is k with k ~ Binomial(5, 0.2), whose 2.5 and 97.5 % are 0 and 3."""
    found = bootstrap_difference([0.0] * 5, [0.0, 0, 0, 0, 5], paired=True)
    assert found is not None
    assert (found.low, found.high) == (0, 3)


def test_the_same_runs_always_give_the_same_interval() -> None:
    """The draws come from a fixed seed; incomplete pairs are refused."""
    a, b = [1.0, 2, 3, 4, 9], [2.0, 2, 5, 4, 7]
    assert bootstrap_difference(a, b, paired=True) == bootstrap_difference(a, b, paired=True)
    assert bootstrap_difference(a[:4], b, paired=False) is None
    with pytest.raises(ValueError, match="pairs need"):
        bootstrap_difference(a[:4], b, paired=True)


def test_a_value_that_some_runs_lack_has_no_difference() -> None:
    """The mean of those that recovered would flatter the side on which some did not."""
    never = held_run().verdict.recovery.model_copy(
        update={"outcome": "metastable", "after_s": None}
    )
    a = [verdict(at) for at in range(5)]
    b = [*a[:4], verdict(4, recovery=never)]
    recovery = row(compare("x", a, "y", b, paired=True), "run", "recovery after the last fault")
    assert (recovery.difference, recovery.low) == (None, None)
    assert recovery.lacking == "B has it in 4 of 5 runs"


def test_different_experiments_and_inconclusive_runs_are_noted() -> None:
    """What makes a comparison less than it seems."""
    other = verdict(1, experiment="inventory-down", verdict="inconclusive")
    notes = " ".join(compare("x", [verdict()], "y", [other], paired=False).notes)
    assert "different experiments: inventory-down, payments-slow" in notes
    assert "These runs are inconclusive, but included: run-1" in notes


def test_runs_whose_fault_never_bit_allow_no_interval() -> None:
    """Five runs that were ended in their baseline are no five observations of the fault."""
    held = held_run().verdict
    faults = tuple(f.model_copy(update={"injection_observed": False}) for f in held.faults)
    a = [verdict(at, goodput=10 + at) for at in range(5)]
    b = [*(verdict(at, goodput=20 + at) for at in range(4)), verdict(4, faults=faults)]
    found = compare("x", a, "y", b, paired=True)
    assert found.unobserved == ("run-4",)
    assert "1 of 10 runs a planned fault had no observed effect" in found.no_interval_because
    assert all(each.low is None for each in found.rows)


def test_nothing_cannot_be_compared() -> None:
    """An empty side is an error, not a row of dashes."""
    with pytest.raises(ValueError, match="nothing to compare"):
        compare("x", [], "y", [verdict()], paired=False)


def test_text_and_page_carry_the_same_numbers() -> None:
    """And whatever a label holds is text."""
    a = [verdict(at, goodput=10 + at) for at in range(5)]
    b = [verdict(at, goodput=12 + at) for at in range(5)]
    found = compare("<default>", a, "no-breaker", b, paired=True)
    page, shown = comparison_html(found, a, b), comparison_text(found)
    goodput = row(found, "fault", "goodput")
    for words in (difference("per_s", goodput.difference), interval(goodput)):
        assert words in page
        assert words in shown
    assert "&lt;default&gt;" in page
    assert "<default>" not in page
    assert 'href="../run-0/report.html"' in page
    assert Comparison.model_validate(json.loads(found.model_dump_json())) == found
