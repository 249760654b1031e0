"""Tables turned the way people read them, and waterfalls."""

import pytest
from report_factory import held_run
from report_variants import empty_run

from aguante.measure.measures import SampleTrace
from aguante.report import chart_geometry, run_tables
from aguante.report.palette import styles_of
from aguante.report.waterfall import services_of, waterfall


@pytest.fixture
def run():
    return held_run()


@pytest.fixture
def styles(run):
    return styles_of(chart_geometry.pairs_of(run.measures))


def test_cells_compare_with_the_baseline(run, styles):
    """Each phase but the baseline says how much its share differs from the baseline's."""
    refused = next(
        r for r in run_tables.cause_rows(run.verdict.phases, styles) if r.style.status == 503
    )
    assert [c.requests for c in refused.cells] == [0, 0, 395, 185]
    assert refused.cells[1].change is None
    assert refused.cells[2].change == pytest.approx(395 / 720)


def test_without_a_baseline_nothing_is_compared(run, styles):
    """A run that ended before its baseline shows shares and no differences."""
    rows = run_tables.cause_rows([p for p in run.verdict.phases if p.phase != "baseline"], styles)
    assert all(cell.change is None for row in rows for cell in row.cells)


def test_one_mechanism_from_two_links_is_two_rows(run, styles):
    """The table, unlike the chart, tells where each failure came from."""
    fault = run.verdict.phases[2]
    moved = fault.causes[-1].model_copy(update={"link": "reservations-inventory", "requests": 1})
    phase = fault.model_copy(update={"causes": (*fault.causes, moved)})
    links = [
        r.link
        for r in run_tables.cause_rows([phase], styles)
        if r.style.mechanism == moved.mechanism
    ]
    assert sorted(links) == ["reservations-inventory", "reservations-payments"]


def test_slices_fill_a_phase(run, styles):
    """A phase's bar is exactly full."""
    pieces = run_tables.slices(run.verdict.phases[2], styles)
    assert sum(p.length for p in pieces) == pytest.approx(1000, abs=0.5)
    assert pieces[0].start == 0


def test_seconds_name_phase_and_breaker_state(run, styles):
    """Each second's row says in which phase it lies and what the breakers did in it."""
    rows = run_tables.second_rows(run.plan, run.measures, styles)
    assert [rows[i].phase for i in (0, 2, 8, 20)] == ["warmup", "baseline", "fault", "recovery"]
    assert [text.split(") ")[1] for text in rows[11].breakers] == ["closed", "open"]


def test_the_chart_in_words(run, styles):
    """Who cannot see the chart hears each cause's number and when it was seen."""
    words = run_tables.timeline_in_words(
        run_tables.second_rows(run.plan, run.measures, styles), styles
    )
    assert "429 semaphore_full: 102 responses between second 9 and 12." in words


def test_tiles_of_a_run_without_requests():
    """Nothing measured is shown as a dash, never as a zero or a hundred percent."""
    run = empty_run()
    tiles = {tile.label: tile.value for tile in run_tables.tiles(run.measures, run.verdict)}
    assert tiles["Failures explained"] == "\N{EN DASH}"
    assert tiles["Recovery"] == "not applicable"


def bars_of(trace):
    return waterfall(trace, services_of([trace])).bars


def test_a_waterfall_walks_from_the_root(run):
    """Children follow their parent, one step deeper, earliest first."""
    bars = bars_of(run.measures.samples[0])
    assert [b.depth for b in bars[:4]] == [0, 1, 2, 3]
    starts = [b.span.start_ms for b in bars if b.depth == 3]
    assert starts == sorted(starts)


def test_the_culprit_is_the_deepest_failure(run):
    """Of a chain of failed spans only the one without a failed child is where it broke."""
    culprits = [b.span.name for b in bars_of(run.measures.samples[0]) if b.culprit]
    assert culprits == ["POST /pay"]


def test_bars_stay_inside_the_trace(run):
    """No bar begins before the trace or reaches behind it by more than the thinnest bar."""
    for trace in run.measures.samples:
        for bar in bars_of(trace):
            assert bar.start >= 0
            assert bar.start + bar.length <= 1003


def test_a_broken_trace_loses_no_span(run):
    """Spans without their parent become roots; spans that are their own ancestors are shown once."""
    spans = run.measures.samples[0].spans[:3]
    broken = (
        spans[0].model_copy(update={"parent_id": "gone"}),
        spans[1].model_copy(update={"parent_id": spans[2].span_id}),
        spans[2].model_copy(update={"parent_id": spans[1].span_id}),
    )
    trace = run.measures.samples[0].model_copy(update={"spans": broken})
    assert sorted(b.span.span_id for b in bars_of(trace)) == sorted(s.span_id for s in broken)


def test_a_trace_without_spans():
    """Nothing to draw is no bars, not an error."""
    trace = SampleTrace(
        trace_id="0", at_s=0, operation="reserve", status=0, mechanism="", link="", spans=()
    )
    assert waterfall(trace, ()).bars == ()


def test_a_trace_tells_the_answer_from_what_went_on(run):
    """The answer's time is the root's; work after it, such as compensation, is said to go on."""
    trace = run.measures.samples[0]
    late = trace.spans[-1].model_copy(update={"start_ms": 3014.0, "duration_ms": 3400.0})
    fall = waterfall(
        trace.model_copy(update={"spans": (*trace.spans[:-1], late)}), services_of([trace])
    )
    assert (fall.answer_ms, fall.total_ms, fall.goes_on) == (3014.2, 6414.0, True)
    assert not waterfall(trace, services_of([trace])).goes_on
