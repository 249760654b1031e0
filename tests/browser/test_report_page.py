"""The report in a real browser: read back, resized, used by keyboard, and offline."""

from typing import NamedTuple

import pytest
from page_window import show
from report_factory import held_run
from report_variants import deviated_run, empty_run, hostile_run, inconclusive_run
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from aguante.report.write_reports import write_reports
from aguante.run_folder.folder import RunFolder
from aguante.verdict.verdict import Verdict

pytestmark = pytest.mark.browser

RUNS = (held_run, deviated_run, inconclusive_run, empty_run, hostile_run)
EVERY_RUN = pytest.mark.parametrize("make", RUNS, ids=lambda make: make.__name__)
WIDTHS_PX = (360, 768, 1280)


class Pages(NamedTuple):
    """One browser and the folder of each kind of run."""

    browser: webdriver.Chrome
    folders: dict

    def open(self, make, *, width_px=1280, dark=False) -> RunFolder:
        """Show the report of this run in a window of this width."""
        page = self.folders[make].report_html
        show(self.browser, page.as_uri(), width_px=width_px, dark=dark)
        return self.folders[make]

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def script(self, source):
        return self.browser.execute_script(source)


@pytest.fixture(scope="module")
def pages(browser, tmp_path_factory) -> Pages:
    """Every kind of run, written to a run folder of its own."""
    folders = {}
    for make in RUNS:
        run = make()
        folder = RunFolder.create(tmp_path_factory.mktemp(make.__name__), run.plan.run_id)
        folder.verdict.write_text(run.verdict.model_dump_json())
        write_reports(folder, *run)
        folders[make] = folder
    return Pages(browser, folders)


@EVERY_RUN
def test_the_page_says_what_the_verdict_says(make, pages):
    """Outcomes and numbers read off the page equal verdict.json."""
    folder = pages.open(make)
    verdict = Verdict.model_validate_json(folder.verdict.read_bytes())
    assert pages.one("[data-verdict]").get_attribute("data-verdict") == verdict.verdict
    expectations = [
        (
            row.get_attribute("data-outcome"),
            row.get_attribute("data-observed"),
            int(row.get_attribute("data-n")),
        )
        for row in pages.all("tr.expectation")
    ]
    assert expectations == [
        (e.outcome, "" if e.observed_value is None else str(e.observed_value), e.n)
        for e in verdict.expectations
    ]
    invariants = [
        (
            row.get_attribute("data-outcome"),
            row.get_attribute("data-exposure"),
            row.get_attribute("data-violations"),
        )
        for row in pages.all("tr.invariant")
    ]
    assert invariants == [
        (i.outcome, str(i.measure.exposure), str(i.measure.violations)) for i in verdict.invariants
    ]
    assert pages.one("[data-recovery]").get_attribute("data-recovery") == verdict.recovery.outcome


def test_visible_numbers_equal_the_verdict(pages):
    """What a reader sees in the cells, not only what their attributes say, is what was judged."""
    folder = pages.open(held_run)
    verdict = Verdict.model_validate_json(folder.verdict.read_bytes())
    for row, expectation in zip(pages.all("tr.expectation"), verdict.expectations, strict=True):
        assert expectation.observed in row.text
        assert expectation.text in row.text
        assert expectation.outcome in row.text
    by_phase = {p.phase: sum(c.requests for c in p.causes) for p in verdict.phases}
    for phase, requests in by_phase.items():
        cells = pages.all(f'td.rate[data-phase="{phase}"]')
        shown = [
            int("".join(c for c in cell.text.splitlines()[-1].split(",")[0] if c.isdigit()))
            for cell in cells
        ]
        assert sum(shown) == requests


@EVERY_RUN
@pytest.mark.parametrize("width_px", WIDTHS_PX)
def test_nothing_scrolls_sideways(make, width_px, pages):
    """The page fits a phone, a tablet and a desk, whatever the texts hold; only tables scroll inside themselves."""
    pages.open(make, width_px=width_px)
    pages.script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert pages.script("return document.documentElement.scrollWidth") <= width_px


@EVERY_RUN
def test_the_console_stays_silent(make, pages):
    """No error, no violated policy, no missing file, and no alert from a hostile text."""
    pages.browser.get_log("browser")
    pages.open(make)
    pages.one("body").click()
    assert pages.browser.get_log("browser") == []
    assert pages.script("return performance.getEntriesByType('resource').length") == 0


@pytest.mark.parametrize("width_px", WIDTHS_PX)
def test_one_picture_is_shown_at_every_width(width_px, pages):
    """Of the drawings exactly the one that fits is visible, and its letters keep a readable size."""
    pages.open(held_run, width_px=width_px)
    shown = [svg for svg in pages.all(".plot svg") if svg.is_displayed()]
    assert len(shown) == 1
    scale = pages.script(
        "const svg = [...document.querySelectorAll('.plot svg')].find((s) => s.clientWidth > 0);"
        "return svg.clientWidth / svg.viewBox.baseVal.width"
    )
    assert 0.85 < scale < 1.7


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_colours_follow_the_reader(dark, pages):
    """The picture takes its colours from the page, which follows the reader's light or dark."""
    pages.open(held_run, dark=dark)
    fill = pages.script(
        "return getComputedStyle(document.querySelector('.frame-wide .cause_c503_breaker_open_marks path')).fill"
    )
    assert fill == ("rgb(139, 151, 255)" if dark else "rgb(68, 80, 184)")


def test_a_cause_can_be_brought_forward(pages):
    """Choosing a cause in the legend, by keyboard, dims the others in the picture."""
    pages.open(held_run)
    pages.one("#only-c504_timeout").send_keys(Keys.SPACE)
    opacity = (
        "return getComputedStyle(document.querySelector('.frame-wide .cause_{}_marks')).opacity"
    )
    assert pages.script(opacity.format("c504_timeout")) == "1"
    assert float(pages.script(opacity.format("c503_breaker_open"))) < 0.5


def test_seconds_can_be_read_by_keyboard(pages):
    """Arrow keys move through the seconds; the readout says what the table says."""
    pages.open(held_run)
    plot = pages.one(".plot")
    plot.send_keys(Keys.HOME, *[Keys.ARROW_RIGHT] * 9)
    readout = pages.one(".readout").text
    assert "Second 9 (fault)" in readout
    assert "429 semaphore_full: 34" in readout
    assert plot.get_attribute("aria-valuenow") == "9"
    plot.send_keys(Keys.END, Keys.ARROW_RIGHT)
    assert plot.get_attribute("aria-valuenow") == "29"


def test_seconds_can_be_read_by_pointer(pages):
    """Pointing at the middle of the chart reads the second in the middle."""
    pages.open(held_run)
    area = pages.one(".frame-wide .plot_area_marks")
    ActionChains(pages.browser).move_to_element(area).move_by_offset(5, 0).perform()
    assert pages.one(".readout").text.startswith("Second 15 (fault)")


def test_the_page_is_complete_without_scripts(pages):
    """Where scripts are forbidden the picture and all tables are still there."""
    pages.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        pages.open(held_run)
        assert any(svg.is_displayed() for svg in pages.all(".plot svg"))
        assert not pages.one(".readout").is_displayed()
        assert len(pages.all("tr[data-second]")) == 30
    finally:
        pages.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
