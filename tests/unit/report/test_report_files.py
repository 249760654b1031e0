"""From a run folder to its three reports."""

import pytest
from report_factory import held_run

from aguante.report.junit import render_junit
from aguante.report.markdown import render_markdown
from aguante.report.run_page import render_html
from aguante.report.write_reports import write_reports
from aguante.run_folder.folder import RunFolder


@pytest.fixture
def folder(tmp_path):
    """The empty folder of a run."""
    return RunFolder.create(tmp_path, held_run().plan.run_id)


def test_reports_come_from_the_values_that_were_found(folder):
    """Nothing that was just written is read back: the folder holds no JSON here."""
    write_reports(folder, *held_run())
    assert folder.report_html.read_text(encoding="utf-8") == render_html(*held_run())
    assert folder.report_md.read_text(encoding="utf-8") == render_markdown(*held_run())
    assert folder.junit.read_text(encoding="utf-8") == render_junit(*held_run())


def test_reports_can_be_written_again(folder):
    """Writing twice gives the same bytes: a report depends on nothing but its run."""
    write_reports(folder, *held_run())
    first = folder.report_html.read_bytes()
    write_reports(folder, *held_run())
    assert folder.report_html.read_bytes() == first


def test_values_read_back_make_the_same_reports(folder):
    """What the JSON files keep is all that a report needs."""
    write_reports(folder, *held_run())
    first = folder.report_html.read_bytes()
    read_back = (type(each).model_validate_json(each.model_dump_json()) for each in held_run())
    write_reports(folder, *read_back)
    assert folder.report_html.read_bytes() == first
