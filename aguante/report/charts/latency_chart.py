"""The lowest panel: p50 and p95 of each second, on a logarithmic scale."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from aguante.measure.measures import SecondLatency
from aguante.report.charts.canvas import (
    SEPARATED_PX,
    Frame,
    Spec,
    Timeline,
    axis,
    layer,
    panel,
    phase_rules,
    shades,
    time_axis,
)


@dataclass(frozen=True)
class Line:
    """One percentile of one set of responses."""

    field: str
    """The field of SecondLatency."""
    label: str
    css: str
    width_px: float
    dash: tuple[int, ...]


LINES = (
    Line("p95_ms", "p95 of all responses", "line-all", 2.4, ()),
    Line("p50_ms", "p50 of all responses", "line-all", 1.6, (4, 3)),
    Line("p95_of_200_ms", "p95 of the 200s", "line-ok", 2.4, ()),
    Line("p50_of_200_ms", "p50 of the 200s", "line-ok", 1.6, (4, 3)),
)


def latency_panel(timeline: Timeline, frame: Frame) -> Spec:
    """Four lines; a second without responses is a gap, never a zero."""
    decades = _decades(timeline.latency)
    layers = [
        shades(timeline, frame, labels=True),
        phase_rules(timeline, frame),
        *(_curve(timeline, frame, line, decades) for line in reversed(LINES)),
    ]
    return panel(layers, frame, frame.latency_px)


def _decades(latency: Sequence[SecondLatency]) -> tuple[float, float]:
    """The powers of ten that enclose all values; 1 ms to 10 s if there are none."""
    values = [v for second in latency for line in LINES if (v := getattr(second, line.field))]
    low = math.floor(math.log10(min(values, default=1)))
    high = math.ceil(math.log10(max(values, default=10_000)))
    return 10.0**low, 10.0 ** max(high, low + 1)


def _milliseconds(decades: tuple[float, float]) -> Spec:
    steps = round(math.log10(decades[1] / decades[0]))
    words = "datum.value >= 1000 ? datum.value / 1000 + ' s' : datum.value + ' ms'"
    return {
        "field": "value_ms",
        "type": "quantitative",
        "scale": {"type": "log", "domain": list(decades), "nice": False},
        "axis": axis(
            title="latency",
            values=[decades[0] * 10**n for n in range(steps + 1)],
            labelExpr=words,
        ),
    }


def _rows(latency: Sequence[SecondLatency], field: str) -> list[Spec]:
    """Each second as a step; ``run`` numbers the contiguous stretches."""
    rows: list[Spec] = []
    run, previous = 0, None
    for second in latency:
        value = getattr(second, field)
        if not value:
            continue
        if previous is not None and second.second != previous + 1:
            run += 1
        previous = second.second
        rows.append({"at_s": second.second, "value_ms": value, "run": run})
        rows.append({"at_s": second.second + 1, "value_ms": value, "run": run})
    return rows


def _curve(timeline: Timeline, frame: Frame, line: Line, decades: tuple[float, float]) -> Spec:
    mark: Spec = {
        "type": "line",
        "color": f"var(--{line.css})",
        "strokeWidth": line.width_px * (1 if timeline.px_per_s(frame) >= SEPARATED_PX else 0.5),
        "strokeDash": list(line.dash) or [1, 0],
        "strokeJoin": "round",
    }
    encoding: Spec = {
        "x": time_axis(timeline, frame, "at_s", labels=True),
        "y": _milliseconds(decades),
        "detail": {"field": "run", "type": "nominal"},
        "order": {"field": "row", "type": "quantitative"},
    }
    rows: list[Spec] = [
        row | {"row": n} for n, row in enumerate(_rows(timeline.latency, line.field))
    ]
    return layer(f"latency_{line.field}", rows, mark, encoding)
