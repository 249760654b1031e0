"""Writes the report of a run in all its formats."""

from aguante.collect.environment import Environment
from aguante.core.stored_values import read_value
from aguante.measure.measures import Measures
from aguante.plan.plan import Plan
from aguante.report.junit import render_junit
from aguante.report.markdown import render_markdown
from aguante.report.run_page import render_html
from aguante.run_folder.folder import RunFolder
from aguante.verdict.verdict import Verdict


def write_reports(folder: RunFolder, plan: Plan, measures: Measures, verdict: Verdict) -> None:
    """Write ``report.html``, ``report.md`` and ``junit.xml`` into the run folder.

    The environment is read from there, if it was recorded.

    Raises:
        OSError: the folder cannot be written.
        NotARunError: this version cannot read ``environment.json``.
    """
    environment = (
        read_value(Environment, folder.environment) if folder.environment.exists() else None
    )
    page = render_html(plan, measures, verdict, environment)
    folder.report_html.write_text(page, encoding="utf-8")
    folder.report_md.write_text(render_markdown(plan, measures, verdict), encoding="utf-8")
    folder.junit.write_text(render_junit(plan, measures, verdict), encoding="utf-8")
