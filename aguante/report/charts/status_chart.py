"""The upper panel: responses per second, stacked by cause."""

from aguante.report import chart_geometry
from aguante.report.charts.canvas import (
    SEPARATED_PX,
    Frame,
    Spec,
    Timeline,
    axis,
    fault_edges,
    fitting,
    layer,
    panel,
    phase_rules,
    shades,
    time_axis,
)

LANE_PX = 17
NAME_PX = 15
"""Height of a name inside the stack."""


def answers_panel(timeline: Timeline, frame: Frame) -> Spec:
    """The stacked bars, with the names of phases above and of faults at the top."""
    tallest = max((block.top for block in timeline.blocks), default=1)
    lanes = 1 + max((band.lane for band in timeline.bands), default=0)
    top = tallest / (1 - (8 + LANE_PX * lanes) / frame.answers_px)
    layers = [
        shades(timeline, frame),
        *(_bars(timeline, frame, top, style.key) for style in timeline.styles),
        phase_rules(timeline, frame),
        fault_edges(timeline, frame),
        _bar_names(timeline, frame, top),
        _phase_names(timeline, frame),
        *(_fault_name(timeline, frame, at) for at in range(len(timeline.bands))),
        _plot_area(timeline, frame),
    ]
    return panel(layers, frame, frame.answers_px)


def _height(field: str, top: float) -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"domain": [0, top], "nice": False},
        "axis": axis(title="responses per second", tickCount=4),
    }


def _bars(timeline: Timeline, frame: Frame, top: float, key: str) -> Spec:
    """One layer per cause, so that the style sheet can highlight a cause."""
    rows: list[Spec] = [
        {"from_s": b.from_s, "to_s": b.to_s, "bottom": b.bottom, "top": b.top}
        for b in timeline.blocks
        if b.key == key
    ]
    mark: Spec = {
        "type": "rect",
        "color": f"var(--{key})",
        "stroke": "var(--card)" if timeline.px_per_s(frame) >= SEPARATED_PX else f"var(--{key})",
        "strokeWidth": 0.6,
    }
    encoding: Spec = {
        "x": time_axis(timeline, frame, "from_s"),
        "x2": {"field": "to_s"},
        "y": _height("bottom", top),
        "y2": {"field": "top"},
    }
    return layer(f"cause_{key}", rows, mark, encoding)


def _bar_names(timeline: Timeline, frame: Frame, top: float) -> Spec:
    px_per_s = timeline.px_per_s(frame)
    spots = chart_geometry.spots(timeline.blocks, timeline.styles, NAME_PX * top / frame.answers_px)
    rows: list[Spec] = [
        {"at_s": spot.at_s, "middle": spot.middle, "name": name, "ink": f"var(--{spot.key}-ink)"}
        for spot in spots
        if (name := fitting((spot.text, spot.text[:3]), spot.width_s * px_per_s - 6))
    ]
    mark: Spec = {"type": "text", "fontSize": 11, "fontWeight": 600, "baseline": "middle"}
    encoding: Spec = {
        "x": time_axis(timeline, frame, "at_s"),
        "y": _height("middle", top),
        "text": {"field": "name"},
        "color": {"field": "ink", "type": "nominal", "scale": None},
    }
    return layer("cause_names", rows, mark, encoding)


def _phase_names(timeline: Timeline, frame: Frame) -> Spec:
    rows: list[Spec] = []
    for window in timeline.plan.phases:
        room_px = (window.end_s - window.start_s) * timeline.px_per_s(frame) - 4
        rows.append({"at_s": window.start_s, "name": fitting((window.phase,), room_px)})
    mark = _words(baseline="bottom", dx=3, y=-4, color="var(--muted)")
    encoding: Spec = {"x": time_axis(timeline, frame, "at_s"), "text": {"field": "name"}}
    return layer("phase_names", rows, mark, encoding)


def _fault_name(timeline: Timeline, frame: Frame, at: int) -> Spec:
    band = timeline.bands[at]
    room_px = (band.to_s - band.from_s) * timeline.px_per_s(frame) - 8
    name = fitting(band.names, room_px) or band.names[-1]
    mark = _words(baseline="top", dx=5, y=6 + LANE_PX * band.lane, color="var(--fault-text)")
    encoding: Spec = {"x": time_axis(timeline, frame, "at_s"), "text": {"field": "name"}}
    row: Spec = {"at_s": band.from_s, "name": name}
    # Vega needs unique layer names
    return layer(f"fault_name_{at}", [row], mark | {"fontWeight": "bold"}, encoding)


def _words(**differences: object) -> Spec:
    return {"type": "text", "align": "left", "fontSize": 11, "clip": False, **differences}


def _plot_area(timeline: Timeline, frame: Frame) -> Spec:
    """An invisible rectangle from which the script of the page finds second 0 and the end."""
    rows: list[Spec] = [{"from_s": 0.0, "to_s": timeline.end_s}]
    x = time_axis(timeline, frame, "from_s")
    mark: Spec = {"type": "rect", "color": "transparent"}
    return layer("plot_area", rows, mark, {"x": x, "x2": {"field": "to_s"}})
