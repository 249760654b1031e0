"""Goodput and latency over the offered load, one line per policy, as static SVG (docs/adr/0005)."""

import math
from collections.abc import Sequence

from aguante.measure.saturation_levels import Level, Sweep
from aguante.report.charts import svg_of
from aguante.report.charts.canvas import Frame, Spec, axis, layer, panel

COLOURS = ("var(--line-ok)", "var(--open)", "var(--line-all)", "var(--half-open)")
DASHES = ((1, 0), (6, 4), (2, 3), (8, 3))
"""Lines differ in dash as well as colour."""


def draw(sweeps: Sequence[Sweep], frame: Frame) -> str:
    """Both panels as one ``<svg>``; the page has the numbers as a table.

    Raises:
        ValueError: vl-convert returned something that cannot be embedded.
    """
    return svg_of(panels(sweeps, frame))


def panels(sweeps: Sequence[Sweep], frame: Frame) -> list[Spec]:
    """Goodput above, p95 of 200s below, over the same axis."""
    top_rps = max(level.offered_rps for sweep in sweeps for level in sweep.levels)
    return [_goodput(sweeps, frame, top_rps), _latency(sweeps, frame, top_rps)]


def _x(top_rps: float, frame: Frame, *, labels: bool) -> Spec:
    return {
        "field": "x",
        "type": "quantitative",
        "scale": {"domain": [0, top_rps], "nice": False},
        "axis": {
            "labels": labels,
            "ticks": labels,
            "domain": labels,
            "grid": False,
            "title": "offered requests per second" if labels else None,
            "tickCount": max(3, frame.plot_px // 70),
            "labelFlush": True,
        },
    }


def _curves(sweeps: Sequence[Sweep], x: Spec, y: Spec, name: str) -> list[Spec]:
    layers = []
    for at, sweep in enumerate(sweeps):
        colour = COLOURS[at % len(COLOURS)]
        mark: Spec = {
            "type": "line",
            "color": colour,
            "strokeWidth": 2.4,
            "strokeDash": list(DASHES[at % len(DASHES)]),
            "point": {"color": colour, "size": 36, "filled": True},
        }
        rows = [row for level in sweep.levels if (row := _row(level, name))]
        layers.append(layer(f"{name}_{at}", rows, mark, {"x": x, "y": y}))
    return layers


def _row(level: Level, name: str) -> Spec | None:
    value = level.goodput_rps if name == "goodput" else level.p95_ms
    return None if value is None else {"x": level.offered_rps, "y": value}


def _goodput(sweeps: Sequence[Sweep], frame: Frame, top_rps: float) -> Spec:
    x = _x(top_rps, frame, labels=False)
    y: Spec = {
        "field": "y",
        "type": "quantitative",
        "scale": {"domain": [0, top_rps], "nice": False},
        "axis": axis(title="200s per second", tickCount=5),
    }
    ideal: Spec = {"type": "line", "color": "var(--muted)", "strokeDash": [2, 3], "strokeWidth": 1}
    diagonal: list[Spec] = [{"x": 0, "y": 0}, {"x": top_rps, "y": top_rps}]
    return panel(
        [layer("ideal", diagonal, ideal, {"x": x, "y": y}), *_curves(sweeps, x, y, "goodput")],
        frame,
        frame.answers_px,
    )


def _latency(sweeps: Sequence[Sweep], frame: Frame, top_rps: float) -> Spec:
    values = [v for sweep in sweeps for level in sweep.levels if (v := level.p95_ms)]
    low = 10.0 ** math.floor(math.log10(min(values, default=1.0)))
    high = 10.0 ** math.ceil(math.log10(max(values, default=10_000.0)))
    y: Spec = {
        "field": "y",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [low, max(high, low * 10)], "nice": False},
        "axis": axis(
            title="p95 of the 200s",
            values=[low * 10**n for n in range(round(math.log10(max(high, low * 10) / low)) + 1)],
            labelExpr="datum.value >= 1000 ? datum.value / 1000 + ' s' : datum.value + ' ms'",
        ),
    }
    x = _x(top_rps, frame, labels=True)
    return panel(_curves(sweeps, x, y, "latency"), frame, frame.latency_px)
