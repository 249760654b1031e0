import pytest
from report_factory import held_run

from aguante.measure.measures import PhasePushes
from aguante.report.run_page import render_html


@pytest.mark.parametrize(("failed", "said"), [(0, False), (2, True)])
def test_what_prometheus_did_not_take_is_said(failed, said):
    """Where its dashboards have a hole the page says so, and nothing where they have none."""
    plan, measures, verdict, *rest = held_run()
    pushes = PhasePushes(taken=28, failed=failed)
    page = render_html(plan, measures.model_copy(update={"phase_pushes": pushes}), verdict, *rest)
    assert ("accepted 28 of 30 pushes of phases and faults" in page) == said
