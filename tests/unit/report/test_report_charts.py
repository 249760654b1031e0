"""The drawn timeline."""

import xml.etree.ElementTree as ET

import altair
import pytest
from report_factory import held_run
from report_variants import HOSTILE, empty_run, hostile_run

from aguante.report import chart_geometry, charts
from aguante.report.charts.breaker_chart import breakers_panel
from aguante.report.charts.canvas import fitting
from aguante.report.charts.latency_chart import latency_panel
from aguante.report.charts.status_chart import answers_panel
from aguante.report.palette import styles_of

FRAMES = pytest.mark.parametrize("frame", charts.FRAMES, ids=lambda frame: frame.name)


def timeline_of(run):
    return charts.timeline_of(
        run.plan, run.measures, styles_of(chart_geometry.pairs_of(run.measures))
    )


def parsed(svg):
    return ET.fromstring(svg)  # noqa: S314  we drew it ourselves


def marks(svg, name):
    """The marks of the layers of this name."""
    groups = [g for g in parsed(svg).iter("g") if f"{name}_marks" in g.get("class", "").split()]
    return [mark for group in groups for mark in group]


def texts(svg):
    return [t.text for t in parsed(svg).iter("text")]


@FRAMES
def test_the_picture_holds_one_block_per_cause_and_second(frame):
    """What the stack holds is what is drawn."""
    timeline = timeline_of(held_run())
    svg = charts.draw(timeline, frame)
    for style in timeline.styles:
        expected = sum(block.key == style.key for block in timeline.blocks)
        assert len(marks(svg, f"cause_{style.key}")) == expected


def test_the_picture_names_what_it_shows():
    """Fault, phases, causes and breaker states are written into the picture, not told by colour alone."""
    words = texts(charts.draw(timeline_of(held_run()), charts.FRAMES[0]))
    assert "503 breaker_open" in words
    assert {"200", "429", "504", "open", "half-open", "closed", "baseline", "recovery"} <= set(
        words
    )
    assert any(str(word).startswith("slow: latency 3500 ms") for word in words)


def test_panels_share_one_time_axis():
    """The unseen plot area is as wide as the frame says, and only one time axis carries numbers."""
    svg = charts.draw(timeline_of(held_run()), charts.FRAMES[0])
    assert texts(svg).count("28") == 1
    assert len(marks(svg, "plot_area")) == 1


@FRAMES
def test_the_specification_is_valid_vega_lite(frame):
    """Vega-Lite's own JSON Schema accepts what we send it."""
    timeline = timeline_of(held_run())
    panels = [p(timeline, frame) for p in (answers_panel, breakers_panel, latency_panel)]
    altair.VConcatChart.from_dict(charts.specification(panels))


def test_nothing_measured_still_draws_the_plan():
    """A run without a request shows its phases and fault windows."""
    words = texts(charts.draw(timeline_of(empty_run()), charts.FRAMES[0]))
    assert "baseline" in words


def test_hostile_names_stay_text():
    """Names with markup in them come out as text; no element and no attribute that could act is made."""
    run = hostile_run()
    fault = run.plan.faults[0].model_copy(update={"id": HOSTILE[:12]})
    window = run.plan.phases[1].model_copy(update={"phase": HOSTILE[:12]})
    plan = run.plan.model_copy(update={"faults": (fault,), "phases": (window,)})
    svg = charts.draw(timeline_of(run._replace(plan=plan)), charts.FRAMES[0])
    root = parsed(svg)
    assert {element.tag for element in root.iter()} <= {"svg", "g", "path", "line", "rect", "text"}
    names = {name for element in root.iter() for name in element.attrib}
    assert not {name for name in names if name.startswith("on") or name in ("style", "href")}
    assert HOSTILE[:12] in texts(svg)


def test_colours_are_left_to_the_style_sheet():
    """No colour but ours: every fill and stroke is a CSS variable, none, or unseen."""
    root = parsed(charts.draw(timeline_of(held_run()), charts.FRAMES[0]))
    paints = {e.get(name) for e in root.iter() for name in ("fill", "stroke")} - {None}
    assert {p for p in paints if not p.startswith("var(--")} <= {"none", "transparent"}


def test_a_second_without_answers_is_a_gap_in_the_line():
    """No data is not drawn as if it were data."""
    run = held_run()
    svg = charts.draw(timeline_of(run), charts.FRAMES[0])
    assert run.measures.latency[10].p50_of_200_ms is None
    lines = [
        p for g in marks(svg, "latency_p50_of_200_ms") for p in g.iter("path") if p.get("stroke")
    ]
    assert len(lines) == 2


@pytest.mark.parametrize(("room", "name"), [(200, "a long name"), (40, "short"), (5, "")])
def test_the_longest_fitting_name_wins(room, name):
    """Too little text beats overlapping text."""
    assert fitting(("a long name", "short"), room) == name


def test_an_unknown_answer_of_the_library_is_an_error():
    """We embed only what we know how to embed."""
    with pytest.raises(ValueError, match="returned unexpected SVG"):
        charts._embeddable("<html>")
