"""Where goodput stops following the load: worked examples of levels, sweeps and their page."""

from pathlib import Path

import altair
import msgspec
import pytest

from aguante.load_protocol.records import LoadSummary, RequestRecord
from aguante.measure.load_level import measure_level
from aguante.measure.saturation_levels import Level, Saturation, Sweep, enough, words
from aguante.report import charts
from aguante.report.charts.canvas import FRAMES
from aguante.report.saturation_chart import panels
from aguante.report.saturation_page import level_line, saturation_html


def level(offered_rps: float, goodput_rps: float, **changed: object) -> Level:
    values: dict[str, object] = {
        "target_rps": offered_rps,
        "offered_rps": offered_rps,
        "achieved_rps": offered_rps,
        "goodput_rps": goodput_rps,
        "statuses": ((200, 0.9), (429, 0.1)),
        "mechanisms": (("semaphore_full", 0.1),),
        "p50_ms": 20.0,
        "p95_ms": 90.0,
        "late_p99_ms": 2.0,
    }
    return Level.model_validate(values | changed)


PLATEAU = Sweep(policy="default", levels=(level(50, 50), level(100, 96), level(150, 110)))
COLLAPSE = Sweep(policy="no-semaphore", levels=(level(50, 50), level(100, 100), level(150, 20)))


def test_the_knee_is_the_last_level_up_to_which_goodput_followed() -> None:
    """50 of 50 and 96 of 100 follow (95 %), 110 of 150 does not: the knee is at 100 rps."""
    assert PLATEAU.knee == level(100, 96)
    assert PLATEAU.reached
    assert words(PLATEAU) == (
        "the knee is at 100 rps; goodput peaks at 110 rps, and 100% of that is left at 150 rps offered"
    )


def test_a_collapse_is_reported_by_what_is_left() -> None:
    """20 rps of a peak of 100 is 20 %."""
    assert COLLAPSE.retained == pytest.approx(0.2)
    assert "20% of that is left at 150 rps" in words(COLLAPSE)


def test_a_later_level_that_follows_does_not_move_the_knee() -> None:
    """A lucky level beyond the knee does not count."""
    sweep = Sweep(policy="p", levels=(level(50, 50), level(100, 60), level(150, 150)))
    assert sweep.knee == level(50, 50)


def test_without_saturation_no_knee_is_claimed() -> None:
    """The highest level is a limit of the search, not of the system."""
    sweep = Sweep(policy="p", levels=(level(50, 50), level(100, 99)))
    assert not sweep.reached
    assert "no knee was reached" in words(sweep)


LIMITED = level(150, 90, achieved_rps=100.0)


def test_a_level_at_the_limit_of_the_load_generator_is_no_knee() -> None:
    """It sent 100 of 150: the level is not saturation, does not end the search and is no peak."""
    sweep = Sweep(policy="p", levels=(level(50, 50), level(100, 80, late_p99_ms=90.0), LIMITED))
    assert (sweep.knee, sweep.reached, sweep.peak_rps) == (level(50, 50), False, 50)
    assert not enough(sweep.levels, beyond=2)
    assert words(sweep) == (
        "goodput follows up to 50 rps, the highest level judged; no knee was reached "
        "(2 left out, the load generator was the bottleneck)"
    )


def test_a_level_at_the_limit_of_the_load_generator_does_not_hide_a_knee() -> None:
    """Such a level between others is left out, and the text says so."""
    levels = (level(50, 50), level(100, 99, late_p99_ms=90.0), level(150, 110), LIMITED)
    sweep = Sweep(policy="p", levels=levels)
    assert (sweep.knee, sweep.reached, sweep.retained) == (level(50, 50), True, 1.0)
    assert words(sweep) == (
        "the knee is at 50 rps; goodput peaks at 110 rps, and 100% of that is left at 150 rps offered "
        "(2 left out, the load generator was the bottleneck)"
    )
    assert enough((*levels, level(200, 110)), beyond=2)


def test_a_sweep_with_only_levels_at_the_limit_of_the_load_generator_has_no_knee() -> None:
    """The text claims nothing about the system."""
    sweep = Sweep(policy="p", levels=(LIMITED,))
    assert (sweep.knee, sweep.reached, sweep.retained) == (None, False, None)
    assert (
        words(sweep) == "the load generator was the bottleneck at every level; no knee was reached"
    )


def test_a_sweep_ends_after_consecutive_saturated_levels() -> None:
    """One saturated level is not enough, and a level that follows resets the count."""
    good, bad = level(50, 50), level(100, 50)
    assert not enough((good, bad), beyond=2)
    assert enough((good, bad, bad), beyond=2)
    assert not enough((bad, good, bad), beyond=2)


@pytest.mark.parametrize(
    ("changed", "limited"),
    [({}, False), ({"achieved_rps": 98.9}, True), ({"late_p99_ms": 51.0}, True)],
)
def test_a_level_that_the_generator_could_not_send_is_marked(
    changed: dict[str, object], limited: bool
) -> None:
    """Requests that were not sent, or sent late, say nothing about the system."""
    found = level(100, 90, **changed)
    assert found.generator_limited is limited
    assert ("limited by the load generator" in level_line("p", found)) is limited


def row(seq: int, intended_s: float, status: int, mechanism: str = "") -> bytes:
    made = RequestRecord(
        seq=seq, operation="reserve", intended_s=intended_s, started_s=intended_s + 0.002,
        latency_ms=30.0, status=status, mechanism=mechanism,
    )  # fmt: skip
    return msgspec.json.encode(made) + b"\n"


def test_a_level_is_judged_by_intended_start_after_it_settled_in(tmp_path: Path) -> None:
    """40 rps for 10 s without the first 2 s: 320 requests, every fourth a 429, and a quarter shed."""
    ledger = tmp_path / "requests.jsonl"
    refused = ("semaphore_full",)
    ledger.write_bytes(
        b"".join(row(n, n / 40, *((429, *refused) if n % 4 == 0 else (200,))) for n in range(400))
    )
    summary = LoadSummary(offered=500, sent=400, shed=100, completed=400)
    found = measure_level(ledger, summary, 50, 2.0, 10.0)
    assert (found.offered_rps, found.achieved_rps, found.goodput_rps) == (50, 40, 30)
    assert found.statuses == ((200, 0.75), (429, 0.25))
    assert found.mechanisms == (("semaphore_full", 0.25),)
    assert (found.p95_ms, found.late_p99_ms) == (30.0, pytest.approx(2.0))


def found() -> Saturation:
    return Saturation(
        id="saturate-1", testbed="shop", command="aguante saturate", started_at="2026-01-01T00:00:00",
        hold_s=8, settle_in_s=2, mix=(("reserve", 1.0),), seed=1, sweeps=(PLATEAU, COLLAPSE),
    )  # fmt: skip


def test_the_chart_is_valid_vega_lite() -> None:
    """It matches altair's copy of the schema at every width."""
    for frame in FRAMES:
        altair.VConcatChart.from_dict(charts.specification(panels((PLATEAU, COLLAPSE), frame)))


def test_the_page_has_every_level_as_a_number() -> None:
    """A table has the numbers of the chart, a text has the knees, and nothing external is loaded."""
    page = saturation_html(found())
    assert page.count("data-goodput=") == 6
    assert 'data-policy="default" data-knee="100.0"' in page
    assert "://" not in page.replace("http://www.w3.org", "")
