"""The overview of a suite and the page of a comparison in a real browser: read back, by keyboard, on a phone."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from page_window import show
from report_factory import Run, held_run
from report_variants import deviated_run, hostile_run, inconclusive_run
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from aguante.report.comparison_page import write_comparison
from aguante.report.differences import Comparison, compare
from aguante.report.formats import printable
from aguante.report.overview import write_overview
from aguante.report.write_reports import write_reports
from aguante.run_folder.folder import RunFolder
from aguante.verdict.suite_result import Suite, SuiteRun
from aguante.verdict.verdict import Verdict

pytestmark = pytest.mark.browser

MADE = (held_run, deviated_run, inconclusive_run, hostile_run)
PAIRS = 5
WIDTHS_PX = (360, 768, 1280)
BOTH = pytest.mark.parametrize("name", ["overview", "comparison"])
UNIT = {"%": 0.01, "pp": 0.01, "ms": 1.0, "s": 1.0, "/s": 1.0, "": 1.0}
"""What a shown number is of the value in the JSON; of milliseconds, see ``shown_number``."""


class Pages(NamedTuple):
    """One browser, and a suite and a comparison on disk beside their runs."""

    browser: webdriver.Chrome
    runs: Path
    overview: Path
    comparison: Path

    def open(self, name: str, *, width_px: int = 1280, dark: bool = False) -> None:
        page = self.overview if name == "overview" else self.comparison
        show(self.browser, page.as_uri(), width_px=width_px, dark=dark)

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def script(self, source):
        return self.browser.execute_script(source)

    def suite(self) -> Suite:
        return Suite.model_validate_json((self.overview.parent / "suite.json").read_bytes())

    def compared(self) -> Comparison:
        text = (self.comparison.parent / "compare.json").read_bytes()
        return Comparison.model_validate_json(text)


def line_of(verdict: Verdict, run_id: str, number: int) -> SuiteRun:
    return SuiteRun(
        experiment=verdict.experiment,
        title=verdict.title,
        source="slow.yaml",
        policy=verdict.policy,
        repeat=number + 1,
        attempts=number + 1,
        run_id=run_id,
        seed=verdict.seed,
        verdict=verdict.verdict,
        exit_code=verdict.exit_code,
        headline=verdict.headline,
        reasons=verdict.reasons,
        took_s=30.25 + number,
    )


def written_suite(runs: Path) -> Path:
    lines = []
    for number, make in enumerate(MADE):
        run: Run = make()
        folder = RunFolder.create(runs, f"run-{number}")
        folder.verdict.write_text(run.verdict.model_dump_json())
        write_reports(folder, *run)
        lines.append(line_of(run.verdict, f"run-{number}", number))
    failed = {"run_id": "", "verdict": "error", "exit_code": 4, "headline": "no <b>PostgreSQL</b>"}
    suite = Suite(
        suite_id="suite-1",
        command="aguante run 'a <b>.yaml'",
        started_at="2026-01-02T03:04:05+00:00",
        took_s=90,
        jobs=2,
        planned=6,
        runs=(*lines, lines[0].model_copy(update={**failed, "repeat": 9})),
    )
    (runs / "suite-1").mkdir()
    write_overview(suite, runs / "suite-1")
    return runs / "suite-1" / "overview.html"


def of_goodput(verdict: Verdict, number: int, goodput_rps: float) -> Verdict:
    phases = tuple(
        p.model_copy(update={"goodput_rps": goodput_rps}) if p.phase == "fault" else p
        for p in verdict.phases
    )
    return verdict.model_copy(update={"run_id": f"run-{number}", "phases": phases})


def written_comparison(runs: Path) -> Path:
    a = [of_goodput(held_run().verdict, n, 12 + n / 10) for n in range(PAIRS)]
    b = [of_goodput(deviated_run().verdict, n, 14 + n / 7) for n in range(PAIRS)]
    found = compare("default", a, "no-breaker", b, paired=True)
    return write_comparison(found, a, b, runs / "comparison", "..")


@pytest.fixture(scope="module")
def pages(browser: webdriver.Chrome, tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """Four runs that were judged and one that has no verdict; five pairs of runs."""
    runs = tmp_path_factory.mktemp("runs")
    return Pages(browser, runs, written_suite(runs), written_comparison(runs))


def shown_number(text: str) -> tuple[float, float]:
    """(value as the JSON has it but for seconds and milliseconds, half of its last shown digit)."""
    match = re.fullmatch(
        r"([+\N{MINUS SIGN}±]?)(\d+(?:\.(\d+))?)\s?(%|pp|ms|/s|s|)", text.replace("\u00a0", " ")
    )
    assert match, text
    sign, digits, decimals, unit = match.groups()
    value = float(digits) * UNIT[unit] * (-1 if sign == "\N{MINUS SIGN}" else 1)
    return value, 0.51 * 10.0 ** -len(decimals or "") * UNIT[unit]


def same(text: str, value: float | None, unit: str) -> bool:
    """Whether a cell says what the JSON holds, to its last shown digit."""
    if value is None:
        return text == "\N{EN DASH}"
    if text.startswith(("<", ">")):  # a share that must not read as 0 or 100 %
        return 0 < value < 0.0005 or 0.9995 <= value < 1
    shown, half = shown_number(text)
    if unit == "ms" and re.search(r"\ds$|\d\ss$", text.replace("\u00a0", " ")):
        shown, half = shown * 1000, half * 1000
    return abs(shown - value) <= half


def flat(told: str) -> str:
    """As a reader sees it: white space run together, control characters replaced."""
    return " ".join(printable(told).split())


def test_the_overview_says_what_suite_json_says(pages: Pages) -> None:
    """Word, exit code and every run's verdict, story, round, time and reasons, as a reader sees them."""
    pages.open("overview")
    suite = pages.suite()
    banner = pages.one("[data-word]")
    assert banner.get_attribute("data-exit") == str(suite.exit_code) == "4"
    assert f"exit code {suite.exit_code}" in banner.text
    shown = {each.get_attribute("data-run"): each for each in pages.all("li[data-run]")}
    assert sorted(shown) == sorted(run.run_id for run in suite.runs)
    for run in suite.runs:
        line = shown[run.run_id]
        assert line.get_attribute("data-verdict") == run.verdict
        assert run.verdict in line.text
        assert flat(run.headline) in flat(line.text)
        assert f"round {run.repeat}" in line.text
        assert f"{run.took_s:.1f} s" in line.text.replace("\u00a0", " ")
        assert f"seed {run.seed}" in line.text
        reasons = [each.text for each in line.find_elements(By.CSS_SELECTOR, ".story li")]
        assert len(reasons) == (len(run.reasons) if run.exit_code else 0)


def test_the_overviews_tiles_count_its_runs(pages: Pages) -> None:
    """As expected, held, deviated, inconclusive, and how often one was played again."""
    pages.open("overview")
    suite = pages.suite()
    tiles = {
        tile.find_element(By.TAG_NAME, "dt").text: tile.find_element(By.CLASS_NAME, "value").text
        for tile in pages.all(".tile")
    }
    words = [run.verdict for run in suite.runs]
    good = sum(run.exit_code == 0 for run in suite.runs)
    assert tiles["As expected"] == f"{good} of {suite.planned}"
    for label in ("Held", "Deviated", "Inconclusive"):
        assert tiles[label] == str(words.count(label.lower())), label
    assert tiles["Repeated"] == str(sum(run.attempts - 1 for run in suite.runs))


def test_each_bar_is_as_long_as_its_share(pages: Pages) -> None:
    """Drawn pixels of a cause, and the words beside them, are its share of the run's fault phase."""
    pages.open("overview")
    for line in pages.all("li[data-run]"):
        strips = line.find_elements(By.CSS_SELECTOR, "svg.strip")
        if not strips:
            continue
        file = RunFolder(pages.runs / str(line.get_attribute("data-run"))).verdict
        verdict = Verdict.model_validate_json(file.read_bytes())
        phase = next(each for each in verdict.phases if each.phase == "fault")
        rects = strips[0].find_elements(By.TAG_NAME, "rect")
        whole = strips[0].size["width"]
        drawn = sorted(rect.rect["width"] / whole for rect in rects)
        merged: dict[tuple[int, str], int] = {}
        for cause in phase.causes:
            key = (cause.status, cause.mechanism)
            merged[key] = merged.get(key, 0) + cause.requests
        told = sorted(n / sum(merged.values()) for n in merged.values())
        assert drawn == pytest.approx(told, abs=0.01)
        for cause in phase.causes:
            assert flat(f"{cause.status} {cause.mechanism}") in flat(line.text)


def test_a_report_is_reached_by_keyboard_alone(pages: Pages) -> None:
    """Tab meets the skip link first, then every link of every run in order; Enter opens the run's own report."""
    pages.open("overview")
    seen = []
    for _ in range(len(pages.all("a")) + 1):
        pages.browser.switch_to.active_element.send_keys(Keys.TAB)
        active = pages.browser.switch_to.active_element
        seen.append(active.get_attribute("href"))
        if len(seen) == 2:
            assert active.accessible_name.startswith("Report of payments-slow")
            outline = "return getComputedStyle(document.activeElement).outlineStyle"
            assert pages.script(outline) != "none"
    assert seen[0].endswith("#main")
    links = [each.get_attribute("href") for each in pages.all("main a")]
    assert seen[1 : len(links) + 1] == links
    pages.one("main a").send_keys(Keys.ENTER)
    first = pages.suite().runs[0]
    assert pages.one("[data-verdict]").get_attribute("data-verdict") == first.verdict
    assert first.headline in pages.one("main").text


def test_every_link_has_a_name_of_its_own(pages: Pages) -> None:
    """Read out of context, as a list of links, none is just "Report"."""
    for name in ("overview", "comparison"):
        pages.open(name)
        names = [each.accessible_name for each in pages.all("main a")]
        targets = {each.get_attribute("href") for each in pages.all("main a")}
        assert len(set(names)) == len(targets), names


def test_the_comparison_says_what_compare_json_says(pages: Pages) -> None:
    """Every number in every row, to its last shown digit: both sides, the difference and its interval."""
    pages.open("comparison")
    found = pages.compared()
    assert not found.no_interval_because
    rows = pages.all("tr[data-what]")
    assert len(rows) == len(found.rows)
    for shown, row in zip(rows, found.rows, strict=True):
        assert shown.get_attribute("data-what") == row.what
        cells = [cell.text for cell in shown.find_elements(By.TAG_NAME, "td")]
        for text, value in zip(cells[:3], (row.a, row.b, row.difference), strict=True):
            assert same(text, value, row.unit), (row.what, text, value)
        ends = cells[3].split(" to ") if row.low is not None else []
        for text, value in zip(ends, (row.low, row.high), strict=bool(ends)):
            assert same(text, value, row.unit), (row.what, text, value)
        assert bool(ends) or cells[3] == "\N{EN DASH}"


def test_bold_is_what_the_interval_shows(pages: Pages) -> None:
    """A difference is set in bold exactly where its interval leaves out zero; some are, some are not."""
    pages.open("comparison")
    bold = [bool(row.find_elements(By.TAG_NAME, "strong")) for row in pages.all("tr[data-what]")]
    clear = [row.clear for row in pages.compared().rows]
    assert bold == clear
    assert any(clear)
    assert not all(clear)


def test_a_wide_table_is_scrolled_by_keyboard(pages: Pages) -> None:
    """On a phone a table scrolls inside itself, can be focused for it, and is announced with a name."""
    pages.open("comparison", width_px=360)
    region = pages.one(".scroll")
    assert (region.aria_role, bool(region.accessible_name)) == ("region", True)
    assert (
        region.get_attribute("tabindex") == "0"
    )  # not every browser focuses what scrolls by itself
    pages.script("document.querySelector('.scroll').focus()")
    before = pages.script("return document.querySelector('.scroll').scrollLeft")
    region.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    wait = "return new Promise((done) => setTimeout(() => done(document.querySelector('.scroll').scrollLeft), 400))"
    assert pages.script(wait) > before


@BOTH
@pytest.mark.parametrize("width_px", WIDTHS_PX)
def test_no_page_scrolls_sideways(name: str, width_px: int, pages: Pages) -> None:
    """A phone, a tablet and a desk, whatever the texts hold."""
    pages.open(name, width_px=width_px)
    assert pages.script("return document.documentElement.scrollWidth") <= width_px


@BOTH
def test_both_pages_load_nothing_and_report_nothing(name: str, pages: Pages) -> None:
    """No error, no violated policy, no request; a hostile title stays text."""
    pages.browser.get_log("browser")
    pages.open(name)
    pages.one("h1").click()
    assert pages.browser.get_log("browser") == []
    assert pages.script("return performance.getEntriesByType('resource').length") == 0
    assert pages.script("return document.querySelectorAll('script').length") == 0


@BOTH
def test_both_pages_follow_light_and_dark(name: str, pages: Pages) -> None:
    """Paper and ink change places."""
    colour = "return getComputedStyle(document.body).backgroundColor"
    pages.open(name)
    light = pages.script(colour)
    pages.open(name, dark=True)
    assert pages.script(colour) != light
