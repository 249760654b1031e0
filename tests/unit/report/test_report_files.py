"""From a run folder to its three reports."""

import pytest
from report_factory import held_run

from aguante.report import render_html, render_junit, render_markdown, write_reports
from aguante.runfolder import RunFolder


@pytest.fixture
def folder(tmp_path):
    """A run folder with the three files that a report starts from."""
    run = held_run()
    folder = RunFolder.create(tmp_path, run.plan.run_id)
    folder.plan.write_text(run.plan.model_dump_json())
    folder.measures.write_text(run.measures.model_dump_json())
    folder.verdict.write_text(run.verdict.model_dump_json())
    return folder


def test_reports_are_written_from_the_folder_alone(folder):
    """What is read back from JSON makes the same reports as the values themselves."""
    write_reports(folder)
    assert folder.report_html.read_text(encoding="utf-8") == render_html(*held_run())
    assert folder.report_md.read_text(encoding="utf-8") == render_markdown(*held_run())
    assert folder.junit.read_text(encoding="utf-8") == render_junit(*held_run())


def test_reports_can_be_written_again(folder):
    """Writing twice gives the same bytes: a report depends on nothing but its run."""
    write_reports(folder)
    first = folder.report_html.read_bytes()
    write_reports(folder)
    assert folder.report_html.read_bytes() == first


def test_a_folder_without_verdict_is_an_error_that_names_the_file(folder):
    """A run that was never judged has no report."""
    folder.verdict.unlink()
    with pytest.raises(FileNotFoundError, match=r"verdict\.json"):
        write_reports(folder)
    assert not folder.report_html.exists()
