"""What the three panels share: widths, the time axis, fault shading, phase marks; in Vega-Lite's JSON."""

from collections.abc import Sequence
from dataclasses import dataclass

from aguante.measure.measures import SecondLatency
from aguante.plan.plan import Plan
from aguante.report import chart_geometry
from aguante.report.palette import CauseStyle

LETTER_PX = 6.9
"""Width of an average letter at the charts' 11 px, bold, in a wide font: too little text beats overlapping text."""
AXIS_PX = 46
"""Room for the y axes' labels, the same on all panels, so that the panels' time axes coincide."""
MARGIN_PX = 14
TICK_PX = 70
SEPARATED_PX = 6
"""Seconds narrower than this are drawn without lines between them, and thinner: else ink hides the colours."""

Spec = dict[str, object]
"""A piece of Vega-Lite, whose language is JSON; it is made and drawn inside this package only."""


@dataclass(frozen=True)
class Frame:
    """One width at which the timeline is drawn; the page shows the one that fits."""

    name: str
    width_px: int
    answers_px: int
    """Height of the plot of answers."""
    latency_px: int
    """Height of the plot of latency."""

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
    """All that the three panels draw."""

    end_s: float
    plan: Plan
    blocks: tuple[chart_geometry.Block, ...]
    styles: tuple[CauseStyle, ...]
    bands: tuple[chart_geometry.FaultBand, ...]
    states: tuple[chart_geometry.StateSpan, ...]
    latency: tuple[SecondLatency, ...]

    def px_per_s(self, frame: Frame) -> float:
        """Pixels per second on the time axis of this frame."""
        return frame.plot_px / self.end_s


def layer(name: str, rows: Sequence[Spec], mark: Spec, encoding: Spec) -> Spec:
    """One layer over inline data. Its marks get the CSS class ``<name>_marks`` (letters, digits, underscores)."""
    return {"name": name, "data": {"values": list(rows)}, "mark": mark, "encoding": encoding}


def panel(layers: Sequence[Spec], frame: Frame, height_px: int) -> Spec:
    """Layers drawn over each other, first one lowest."""
    return {"layer": list(layers), "width": frame.plot_px, "height": height_px}


def axis(**differences: object) -> Spec:
    """A y axis that takes the same room on every panel."""
    return {
        "minExtent": AXIS_PX,
        "maxExtent": AXIS_PX,
        "domain": False,
        "ticks": False,
        **differences,
    }


def time_axis(timeline: Timeline, frame: Frame, field: str, *, labels: bool = False) -> Spec:
    """The shared time axis; only the lowest panel writes numbers on it."""
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
    """The fault windows, behind everything else."""
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
    """Where each fault begins and ends, in front of everything else."""
    rows: list[Spec] = [{"at_s": at} for band in timeline.bands for at in (band.from_s, band.to_s)]
    mark: Spec = {"type": "rule", "color": "var(--fault-text)", "strokeWidth": 1.4}
    return layer("fault_edge", rows, mark, {"x": time_axis(timeline, frame, "at_s")})


def phase_rules(timeline: Timeline, frame: Frame) -> Spec:
    """A dotted line where each phase begins."""
    rows: list[Spec] = [{"at_s": w.start_s} for w in timeline.plan.phases if w.start_s > 0]
    mark: Spec = {"type": "rule", "color": "var(--muted)", "strokeDash": [2, 3], "strokeWidth": 1}
    return layer("phases", rows, mark, {"x": time_axis(timeline, frame, "at_s")})


def fitting(names: Sequence[str], room_px: float) -> str:
    """The first of the names that fits, or an empty text."""
    return next((name for name in names if len(name) * LETTER_PX <= room_px), "")
