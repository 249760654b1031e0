"""What the panels share: widths, time axis, fault shading and phase marks, in Vega-Lite JSON."""

from collections.abc import Sequence
from dataclasses import dataclass

from aguante.measure.measures import SecondLatency
from aguante.plan.plan import Plan
from aguante.report import chart_geometry
from aguante.report.palette import CauseStyle

LETTER_PX = 6.9
"""Width of an average letter at 11 px, bold, in a wide font; generous, so that text never overlaps."""
AXIS_PX = 46
"""Width of the y axis labels, the same on all panels, so that their time axes are aligned."""
MARGIN_PX = 14
TICK_PX = 70
SEPARATED_PX = 6
"""Seconds narrower than this have no lines between them, which would hide the colours."""

Spec = dict[str, object]
"""A part of a Vega-Lite specification, which is JSON; used only inside this package."""


@dataclass(frozen=True)
class Frame:
    """A width at which the timeline is drawn; the page shows the one that fits."""

    name: str
    width_px: int
    answers_px: int
    """Height of the response panel."""
    latency_px: int
    """Height of the latency panel."""

    @property
    def plot_px(self) -> int:
        """Width of the time axis."""
        return self.width_px - AXIS_PX - MARGIN_PX


FRAMES = (
    Frame("wide", 1040, 270, 150),
    Frame("middle", 680, 240, 140),
    Frame("narrow", 330, 220, 130),
)


@dataclass(frozen=True)
class Timeline:
    """The data of all panels."""

    end_s: float
    plan: Plan
    blocks: tuple[chart_geometry.Block, ...]
    styles: tuple[CauseStyle, ...]
    bands: tuple[chart_geometry.FaultBand, ...]
    states: tuple[chart_geometry.StateSpan, ...]
    latency: tuple[SecondLatency, ...]

    def px_per_s(self, frame: Frame) -> float:
        """Pixels per second on the time axis."""
        return frame.plot_px / self.end_s


def layer(name: str, rows: Sequence[Spec], mark: Spec, encoding: Spec) -> Spec:
    """A layer with inline data. Its marks get the CSS class ``<name>_marks`` (letters, digits, underscores)."""
    return {"name": name, "data": {"values": list(rows)}, "mark": mark, "encoding": encoding}


def panel(layers: Sequence[Spec], frame: Frame, height_px: int) -> Spec:
    """Layers drawn over each other, the first one lowest."""
    return {"layer": list(layers), "width": frame.plot_px, "height": height_px}


def axis(**differences: object) -> Spec:
    """A y axis with the same width on every panel."""
    return {
        "minExtent": AXIS_PX,
        "maxExtent": AXIS_PX,
        "domain": False,
        "ticks": False,
        **differences,
    }


def time_axis(timeline: Timeline, frame: Frame, field: str, *, labels: bool = False) -> Spec:
    """The shared time axis; only the lowest panel labels it."""
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"domain": [0, timeline.end_s], "nice": False},
        "axis": {
            "labels": labels,
            "ticks": labels,
            "domain": labels,
            "title": "seconds since the load began" if labels else None,
            "grid": False,
            "tickCount": max(3, frame.plot_px // TICK_PX),
            "labelFlush": True,
        },
    }


def shades(timeline: Timeline, frame: Frame, *, labels: bool = False) -> Spec:
    """The fault windows, behind all other layers."""
    rows: list[Spec] = [{"from_s": band.from_s, "to_s": band.to_s} for band in timeline.bands]
    mark: Spec = {
        "type": "rect",
        "color": "var(--fault)",
        "stroke": "var(--fault-edge)",
        "strokeWidth": 1,
    }
    x = time_axis(timeline, frame, "from_s", labels=labels)
    return layer("fault", rows, mark, {"x": x, "x2": {"field": "to_s"}})


def fault_edges(timeline: Timeline, frame: Frame) -> Spec:
    """The start and end of each fault, in front of all other layers."""
    rows: list[Spec] = [{"at_s": at} for band in timeline.bands for at in (band.from_s, band.to_s)]
    mark: Spec = {"type": "rule", "color": "var(--fault-text)", "strokeWidth": 1.4}
    return layer("fault_edge", rows, mark, {"x": time_axis(timeline, frame, "at_s")})


def phase_rules(timeline: Timeline, frame: Frame) -> Spec:
    """A dotted line where each phase begins."""
    rows: list[Spec] = [{"at_s": w.start_s} for w in timeline.plan.phases if w.start_s > 0]
    mark: Spec = {"type": "rule", "color": "var(--muted)", "strokeDash": [2, 3], "strokeWidth": 1}
    return layer("phases", rows, mark, {"x": time_axis(timeline, frame, "at_s")})


def fitting(names: Sequence[str], room_px: float) -> str:
    """The first name that fits, or an empty string."""
    return next((name for name in names if len(name) * LETTER_PX <= room_px), "")
