"""The timeline as SVG: responses per second by cause, breaker states, and latency, over one time axis.

It is described in Vega-Lite and drawn by vl-convert without a browser, so the page needs no script to show it
(docs/adr/0005-charts.md). Colours are CSS variables with light and dark values in the style sheet of the page. The
timeline is drawn once per width, because scaling would change the size of the text.
"""

import re
from importlib.util import find_spec

from aguante.measure.measures import Measures
from aguante.plan.plan import Plan
from aguante.report import chart_geometry
from aguante.report.charts.breaker_chart import breakers_panel
from aguante.report.charts.canvas import FRAMES, Frame, Spec, Timeline
from aguante.report.charts.latency_chart import latency_panel
from aguante.report.charts.status_chart import answers_panel
from aguante.report.palette import CauseStyle

__all__ = ["FRAMES", "Frame", "Timeline", "can_draw", "draw", "svg_of", "timeline_of"]

_INK = {
    "labelColor": "var(--muted)",
    "titleColor": "var(--muted)",
    "gridColor": "var(--grid)",
    "domainColor": "var(--line)",
    "tickColor": "var(--line)",
    "labelFontSize": 11,
    "titleFontSize": 11,
    "titleFontWeight": "normal",
}


def timeline_of(plan: Plan, measures: Measures, styles: tuple[CauseStyle, ...]) -> Timeline:
    """Collect what the charts draw."""
    end_s = chart_geometry.end_of(plan, measures)
    return Timeline(
        end_s=end_s,
        plan=plan,
        blocks=chart_geometry.stack(measures.seconds, styles),
        styles=styles,
        bands=chart_geometry.fault_bands(plan, measures.faults),
        states=chart_geometry.breaker_states(measures.breakers, end_s),
        latency=measures.latency,
    )


def can_draw() -> bool:
    """Whether vl-convert is installed: ``pip install 'aguante[charts]'`` (88 MB) brings it."""
    return find_spec("vl_convert") is not None


def draw(timeline: Timeline, frame: Frame) -> str:
    """The timeline as an ``<svg>`` element without a fixed size, hidden from assistive technology.

    The page describes it in words and has its numbers as a table.

    Raises:
        ValueError: vl-convert returned SVG that cannot be embedded.
    """
    panels = [answers_panel(timeline, frame)]
    if timeline.states:
        panels.append(breakers_panel(timeline, frame))
    panels.append(latency_panel(timeline, frame))
    return svg_of(panels)


def svg_of(panels: list[Spec]) -> str:
    """Panels below each other as an ``<svg>`` element that can be embedded.

    Raises:
        ValueError: vl-convert returned SVG that cannot be embedded.
        ModuleNotFoundError: vl-convert is not installed.
    """
    import vl_convert

    return _embeddable(vl_convert.vegalite_to_svg(specification(panels)))


def specification(panels: list[Spec]) -> Spec:
    """The chart in Vega-Lite: panels below each other over one time axis."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "background": "transparent",
        "padding": {"left": 2, "right": 12, "top": 4, "bottom": 2},
        "vconcat": panels,
        "spacing": 14,
        "resolve": {"scale": {"x": "shared"}},
        "config": {
            "aria": False,
            "font": "sans-serif",
            "view": {"stroke": None},
            "axis": _INK,
        },
    }


def _embeddable(svg: str) -> str:
    """Make the SVG fluid, hide it from screen readers, and remove inline styles, which the content policy forbids."""
    head = re.match(r'<svg [^>]*?viewBox="([\d. -]+)">', svg)
    if head is None:
        message = f"vl-convert returned unexpected SVG: {svg[:120]!r}"
        raise ValueError(message)
    body = re.sub(r' style="[^"]*"', "", svg[head.end() :])
    body = re.sub(r"(\d\.\d\d)\d+", r"\1", body)  # hundredths of a pixel are enough
    return f'<svg viewBox="{head.group(1)}" aria-hidden="true" focusable="false">{body}'
