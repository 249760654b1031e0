"""Reports where vl-convert is not installed."""

import pytest
from report_factory import held_run
from report_variants import empty_run

from aguante.report import charts
from aguante.report.run_page import render_html


@pytest.mark.parametrize("make", [held_run, empty_run], ids=lambda make: make.__name__)
def test_without_vl_convert_the_page_says_how_to_get_charts(
    make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page names the extra in place of the chart, and shows the numbers at once."""
    monkeypatch.setattr(charts, "can_draw", lambda: False)
    page = render_html(*make())
    assert "pip install 'aguante[charts]'" in page
    assert 'class="plot"' not in page
    assert "<details open>\n<summary>The data of this chart" in page


def test_with_vl_convert_the_page_names_no_extra() -> None:
    """The page with a chart does not mention the extra."""
    page = render_html(*held_run())
    assert "aguante[charts]" not in page
    assert 'class="plot"' in page
