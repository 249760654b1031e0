"""The *Telemetry health* dashboard: whether what the others show can be believed."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards import queries as q
from dashboards.frame import filled, frame
from dashboards.panels import ANY_IS_BAD, UP, Panels, Query, Told, lines, number, states
from services.kit.telemetry import metrics

EXPORTED = q.per_second(metrics.SPANS_EXPORTED)
DROPPED = q.per_second(metrics.SPANS_DROPPED)
_TRACES: Panels = [
    lines(
        Told("Spans exported", "Spans a second that the collector took, by service.", "ops"),
        Query(q.per_second(metrics.SPANS_EXPORTED, ("service",), q.CHOSEN), "{{service}}"),
    ),
    lines(
        Told(
            "Spans dropped",
            "By service and reason: queue_full when more is made than can be sent, export_failed "
            "when the collector is away. A verdict drawn from incomplete spans says unknown.",
            "ops",
            ANY_IS_BAD,
        ),
        Query(
            q.per_second(metrics.SPANS_DROPPED, ("service", "reason"), q.CHOSEN),
            "{{service}} {{reason}}",
        ),
        stacked=True,
    ),
    number(
        Told(
            "Share of spans lost",
            "Of all spans that were finished lately.",
            "percentunit",
            ((None, "green"), (0.001, "yellow"), (0.05, "red")),
        ),
        Query(q.share(DROPPED, f"({DROPPED}) + ({EXPORTED})"), "lost"),
    ),
    number(
        Told(
            "Spans for each request",
            "About 13 for a reservation; a sudden rise is a span made twice.",
            "short",
            ((None, "green"), (40, "yellow")),
        ),
        Query(
            f"(({DROPPED}) + ({EXPORTED})) / ({q.per_second(q.ANSWERS, (), q.GATEWAY)} > 0) "
            "or on() vector(0)",
            "spans",
        ),
    ),
]


_METRICS: Panels = [
    states(
        Told(
            "Read by Prometheus",
            "Whether each target answered. A service that was killed or paused is down here first.",
            "short",
        ),
        UP,
        Query("up", "{{job}} {{instance}}", always=True),
    ),
    lines(
        Told(
            "Time to read a target",
            "Prometheus gives up after its timeout; a service renders on its event loop, so that this "
            "also shows how busy it is.",
            "s",
            ((None, "green"), (0.5, "red")),
        ),
        Query("scrape_duration_seconds", "{{job}} {{instance}}", always=True),
    ),
    lines(
        Told(
            "Samples of each target",
            "Every label is bounded, so that this levels off.",
            "short",
            ((None, "green"), (5000, "red")),
        ),
        Query("scrape_samples_scraped", "{{job}} {{instance}}", always=True),
    ),
    lines(
        Told(
            "Series that are new in each read",
            "Many after the start, few at a failure that nobody foresaw, then none.",
            "short",
            ((None, "green"), (500, "red")),
        ),
        Query("scrape_series_added", "{{job}} {{instance}}", always=True),
    ),
]


def build() -> Dashboard:
    """The dashboard."""
    about = (
        "A dead collector must cost spans, never requests: what was exported, what was lost, and "
        "whether Prometheus reads every service in time."
    )
    board = frame("aguante-telemetry", "Aguante: Telemetry health", about, service=True)
    rows = {
        "Traces": _TRACES,
        "Metrics": _METRICS,
    }
    return filled(board, rows)
