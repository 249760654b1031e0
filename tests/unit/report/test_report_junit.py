"""The verdict in a CI server's test view."""

import xml.etree.ElementTree as ET

import pytest
from report_factory import held_run
from report_variants import deviated_run, empty_run, hostile_run, inconclusive_run

from aguante.report.junit import render_junit


def suite_of(run):
    return ET.fromstring(render_junit(*run)).find("testsuite")  # noqa: S314  we wrote it ourselves


def endings(suite):
    """Name of each case that did not pass, and how it ended."""
    return {case.get("name"): case[0].tag for case in suite.iter("testcase") if len(case)}


def expecting(run, verdict):
    return run._replace(verdict=run.verdict.model_copy(update={"expected_verdict": verdict}))


def test_one_case_each():
    """The verdict, every expectation and every invariant are one case each."""
    suite = suite_of(held_run())
    groups = [case.get("classname").rpartition(".")[2] for case in suite.iter("testcase")]
    assert groups == ["verdict"] + ["expectations"] * 7 + ["invariants"] * 8
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("16", "0", "0")


def test_unmet_and_violated_fail():
    """What is proven wrong is a failure, with its evidence."""
    suite = suite_of(deviated_run())
    tags = endings(suite)
    assert set(tags.values()) == {"failure"}
    assert len(tags) == 3
    assert any("event_id=evt-3" in (failure.text or "") for failure in suite.iter("failure"))


def test_unknown_is_an_error_and_never_green():
    """What could not be judged is an error, as is an inconclusive verdict."""
    suite = suite_of(inconclusive_run())
    assert set(endings(suite).values()) == {"error"}
    assert suite.get("errors") == "2"


def test_an_expected_deviation_is_green():
    """Where the verdict is the expected one nothing fails: the file agrees with the exit code."""
    suite = suite_of(expecting(deviated_run(), "deviated"))
    assert set(endings(suite).values()) == {"skipped"}
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("0", "0", "2")


def test_a_deviation_that_did_not_happen_is_red():
    """A run that held where it should have deviated fails by the verdict's own case."""
    assert endings(suite_of(expecting(held_run(), "deviated"))) == {
        "verdict is deviated": "failure"
    }


@pytest.mark.parametrize(
    "make",
    [held_run, deviated_run, inconclusive_run, empty_run, hostile_run],
    ids=lambda make: make.__name__,
)
def test_red_or_green_as_the_exit_code(make):
    """Something fails exactly when the exit code is not 0."""
    run = make()
    suite = suite_of(run)
    red = int(suite.get("failures")) + int(suite.get("errors"))
    assert bool(red) == (run.verdict.exit_code != 0)


def test_properties_say_which_run_it_was():
    """Run id, policy and seed are there to run it again."""
    values = {p.get("name"): p.get("value") for p in suite_of(held_run()).iter("property")}
    assert values["run_id"] == "20251124T033400Z-payments-slow-9f3a"
    assert (values["policy"], values["seed"]) == ("default", "7")
