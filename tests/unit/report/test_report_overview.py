"""The overview of a suite: every run is there, linked, and nothing from a file becomes markup."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from report_factory import held_run
from report_variants import deviated_run

from aguante.measure.measures import Cause
from aguante.report import formats
from aguante.report.junit import render_junit
from aguante.report.overview import (
    overview_html,
    overview_junit,
    overview_markdown,
    summary_of,
    word_of,
    write_overview,
)
from aguante.run_folder.folder import RunFolder
from aguante.verdict.suite_result import Suite, SuiteRun
from aguante.verdict.verdict import Verdict


def line_of(verdict: Verdict, run_id: str, **changes: object) -> SuiteRun:
    values = {
        "experiment": verdict.experiment,
        "title": verdict.title,
        "source": "slow.yaml",
        "policy": verdict.policy,
        "run_id": run_id,
        "seed": verdict.seed,
        "verdict": verdict.verdict,
        "exit_code": verdict.exit_code,
        "headline": verdict.headline,
        "reasons": verdict.reasons,
    }
    return SuiteRun.model_validate(values | changes)


@pytest.fixture
def played(tmp_path: Path) -> Suite:
    """Two runs that were judged, and one that had no verdict."""
    lines = []
    for number, run in enumerate((held_run(), deviated_run())):
        folder = RunFolder.create(tmp_path, f"run-{number}")
        folder.verdict.write_text(run.verdict.model_dump_json())
        folder.junit.write_text(render_junit(run.plan, run.measures, run.verdict))
        lines.append(line_of(run.verdict, f"run-{number}", repeat=number + 1, log="logs/1.log"))
    failed = lines[0].model_copy(
        update={
            "run_id": "",
            "verdict": "error",
            "exit_code": 4,
            "headline": "no <PostgreSQL>",
            "repeat": 3,
        }
    )
    return Suite(
        suite_id="suite-1",
        command="aguante run 'a <b>.yaml'",
        started_at="2026-01-02T03:04:05+00:00",
        took_s=90,
        jobs=2,
        planned=4,
        runs=(*lines, failed),
    )


def test_every_run_is_on_the_page_with_its_report(played: Suite, tmp_path: Path) -> None:
    """Runs that have one are linked by a relative path, so that the folder can be moved."""
    page = overview_html(played, tmp_path)
    assert page.count("<li data-run=") == 3
    assert 'href="../run-0/report.html"' in page
    assert 'href="../run-1/report.html"' in page
    assert 'href="..//report.html"' not in page
    assert page.count('class="strip"') == 2


def test_the_page_escapes_and_admits_no_script(played: Suite, tmp_path: Path) -> None:
    """What comes from files or servers is text."""
    page = overview_html(played, tmp_path)
    assert "no &lt;PostgreSQL&gt;" in page
    assert "a &lt;b&gt;.yaml" in page
    assert "script-src &#39;none&#39;" in page
    assert "<script" not in page


def test_a_run_folder_that_is_gone_leaves_its_line(played: Suite, tmp_path: Path) -> None:
    """The suite's own record is enough to show the verdict."""
    page = overview_html(played, tmp_path / "elsewhere")
    assert page.count("<li data-run=") == 3
    assert "report.html" not in page


def test_a_cause_is_told_once_whoever_answered_it(played: Suite, tmp_path: Path) -> None:
    """Two services whose breakers were open are one share of the bar, and one of its words."""
    file = tmp_path / "run-0" / "verdict.json"
    verdict = Verdict.model_validate_json(file.read_bytes())
    phases = tuple(
        phase.model_copy(
            update={
                "requests": 4,
                "causes": (
                    Cause(status=200, origin="", link="", mechanism="", requests=1),
                    Cause(status=503, origin="a", link="a-b", mechanism="breaker_open", requests=1),
                    Cause(status=503, origin="c", link="c-d", mechanism="breaker_open", requests=2),
                ),
            }
        )
        for phase in verdict.phases
    )
    file.write_text(verdict.model_copy(update={"phases": phases}).model_dump_json())
    told = f"503 breaker_open {formats.percent(0.75)}, 200 {formats.percent(0.25)}"
    assert told in overview_html(played, tmp_path)


def test_the_gravest_run_gives_the_tone(played: Suite) -> None:
    """An error outweighs a deviation; what was not begun is counted."""
    assert word_of(played) == "error"
    assert summary_of(played) == (
        "1 of 4 runs ended as expected: 1 deviated, 1 error. Stopped: 1 were not started."
    )
    whole = played.model_copy(update={"runs": played.runs[:1], "planned": 1})
    assert (word_of(whole), summary_of(whole)) == ("held", "1 of 1 runs ended as expected.")


def test_rounds_that_disagree_are_said_to_be_not_repeatable(played: Suite, tmp_path: Path) -> None:
    """The same experiment and policy, with another verdict in another round."""
    first, second, _ = played.runs
    same = second.model_copy(update={"title": first.title, "policy": first.policy})
    page = overview_html(played.model_copy(update={"runs": (first, same)}), tmp_path)
    assert "not repeatable: 1 held, 1 deviated" in page


def test_junit_holds_every_runs_cases_and_an_error_for_none(played: Suite, tmp_path: Path) -> None:
    """A run without a verdict is red too."""
    suites = ET.fromstring(overview_junit(played, tmp_path)).findall("testsuite")  # noqa: S314  our own
    assert len(suites) == 3
    assert [len(each.findall("testcase")) > 5 for each in suites] == [True, True, False]
    (error,) = suites[2].iter("error")
    assert "no <PostgreSQL>" in (error.get("message") or "")
    assert len({each.get("name") for each in suites}) == 3


def test_markdown_is_one_escaped_line_a_run(played: Suite) -> None:
    """For a pull-request comment."""
    comment = overview_markdown(played)
    assert len([row for row in comment.splitlines() if row.startswith("|")]) == 5
    assert "no \\<PostgreSQL>" in comment


def test_all_four_files_are_written(played: Suite, tmp_path: Path) -> None:
    """And suite.json is read back as the same suite."""
    folder = tmp_path / "suite-1"
    folder.mkdir()
    write_overview(played, folder)
    assert {each.name for each in folder.iterdir()} == {
        "overview.html",
        "overview.md",
        "junit.xml",
        "suite.json",
    }
    assert Suite.model_validate_json((folder / "suite.json").read_text()) == played
