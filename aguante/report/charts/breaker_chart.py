"""The middle panel: the state of each circuit breaker over time."""

from aguante.report.charts.canvas import (
    Frame,
    Spec,
    Timeline,
    axis,
    fitting,
    layer,
    panel,
    shades,
    time_axis,
)

NAME_PX = 16
BAR_PX = 18
STRIP_PX = NAME_PX + BAR_PX + 4
COLOURS = {"closed": "--closed", "open": "--open", "half_open": "--half-open"}


def breakers_panel(timeline: Timeline, frame: Frame) -> Spec:
    """One row per breaker: its name, and its states as labelled bars."""
    names = list(dict.fromkeys(span.breaker for span in timeline.states))
    layers = [
        shades(timeline, frame),
        _names(timeline, frame, names),
        *(_bars(timeline, frame, names, state) for state in COLOURS),
        _words(timeline, frame, names),
    ]
    return panel(layers, frame, STRIP_PX * len(names))


def _row(field: str, rows: int) -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"domain": [STRIP_PX * rows, 0], "nice": False},
        "axis": axis(title=None, labels=False, grid=False),
    }


def _names(timeline: Timeline, frame: Frame, names: list[str]) -> Spec:
    rows: list[Spec] = [
        {
            "at_s": 0.0,
            "y": STRIP_PX * number + 3,
            "name": fitting((f"breaker {name}", name), frame.plot_px) or name,
        }
        for number, name in enumerate(names)
    ]
    mark: Spec = {
        "type": "text",
        "align": "left",
        "baseline": "top",
        "dx": 1,
        "fontSize": 11,
        "color": "var(--muted)",
    }
    encoding: Spec = {
        "x": time_axis(timeline, frame, "at_s"),
        "y": _row("y", len(names)),
        "text": {"field": "name"},
    }
    return layer("breaker_names", rows, mark, encoding)


def _bars(timeline: Timeline, frame: Frame, names: list[str], state: str) -> Spec:
    rows: list[Spec] = [
        {
            "from_s": span.from_s,
            "to_s": span.to_s,
            "y": STRIP_PX * names.index(span.breaker) + NAME_PX,
            "y2": STRIP_PX * names.index(span.breaker) + NAME_PX + BAR_PX,
        }
        for span in timeline.states
        if span.state == state
    ]
    colour = f"var({COLOURS[state]})"
    mark: Spec = {"type": "rect", "color": colour, "stroke": colour, "strokeWidth": 0.5}
    encoding: Spec = {
        "x": time_axis(timeline, frame, "from_s"),
        "x2": {"field": "to_s"},
        "y": _row("y", len(names)),
        "y2": {"field": "y2"},
    }
    return layer(f"breaker_{state}", rows, mark, encoding)


def _words(timeline: Timeline, frame: Frame, names: list[str]) -> Spec:
    rows: list[Spec] = []
    for span in timeline.states:
        word = span.state.replace("_", "-")
        room_px = (span.to_s - span.from_s) * timeline.px_per_s(frame) - 4
        top_px = STRIP_PX * names.index(span.breaker) + NAME_PX
        rows.append(
            {
                "at_s": (span.from_s + span.to_s) / 2,
                "y": top_px + BAR_PX / 2,
                "word": fitting((word, "half" if span.state == "half_open" else ""), room_px),
                "ink": f"var({COLOURS.get(span.state, '--closed')}-ink)",
            }
        )
    mark: Spec = {"type": "text", "baseline": "middle", "fontSize": 11, "fontWeight": 600}
    encoding: Spec = {
        "x": time_axis(timeline, frame, "at_s"),
        "y": _row("y", len(names)),
        "text": {"field": "word"},
        "color": {"field": "ink", "type": "nominal", "scale": None},
    }
    return layer("breaker_words", rows, mark, encoding)
