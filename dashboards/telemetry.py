"""The *Telemetry health* dashboard: whether the other dashboards can be trusted."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards import queries as q
from dashboards.frame import filled, frame
from dashboards.panels import ANY_IS_BAD, UP, Panels, PanelText, Query, lines, number, states
from services.kit.telemetry import metrics

EXPORTED = q.per_second(metrics.SPANS_EXPORTED)
DROPPED = q.per_second(metrics.SPANS_DROPPED)
_TRACES: Panels = [
    lines(
        PanelText(
            "Spans exported", "Spans per second that the collector accepted, by service.", "ops"
        ),
        Query(q.per_second(metrics.SPANS_EXPORTED, ("service",), q.CHOSEN), "{{service}}"),
    ),
    lines(
        PanelText(
            "Spans dropped",
            "By service and reason: queue_full if spans are created faster than they are sent, export_failed "
            "if the collector is unavailable. With incomplete spans, expectations on them are unknown.",
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
        PanelText(
            "Share of spans lost",
            "Share of all recently finished spans.",
            "percentunit",
            ((None, "green"), (0.001, "yellow"), (0.05, "red")),
        ),
        Query(q.share(DROPPED, f"({DROPPED}) + ({EXPORTED})"), "lost"),
    ),
    number(
        PanelText(
            "Spans per request",
            "About 13 for a reservation. A sudden rise indicates duplicate spans.",
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
        PanelText(
            "Scraped by Prometheus",
            "Whether each target responded. A killed or paused service shows as down here first.",
            "short",
        ),
        UP,
        Query("up", "{{job}} {{instance}}", always=True),
    ),
    lines(
        PanelText(
            "Scrape duration",
            "Prometheus gives up after its timeout. A service renders its metrics on its event loop, so "
            "this also shows how busy it is.",
            "s",
            ((None, "green"), (0.5, "red")),
        ),
        Query("scrape_duration_seconds", "{{job}} {{instance}}", always=True),
    ),
    lines(
        PanelText(
            "Samples per target",
            "Every label is bounded, so this number levels off.",
            "short",
            ((None, "green"), (5000, "red")),
        ),
        Query("scrape_samples_scraped", "{{job}} {{instance}}", always=True),
    ),
    lines(
        PanelText(
            "New series per scrape",
            "Many after the start, a few at an unforeseen failure, then none.",
            "short",
            ((None, "green"), (500, "red")),
        ),
        Query("scrape_series_added", "{{job}} {{instance}}", always=True),
    ),
]


def build() -> Dashboard:
    """Return the dashboard."""
    about = (
        "A failed collector must cost spans, never requests. Shows what was exported, what was lost, "
        "and whether Prometheus scrapes every service in time."
    )
    board = frame("aguante-telemetry", "Aguante: Telemetry health", about, service=True)
    rows = {
        "Traces": _TRACES,
        "Metrics": _METRICS,
    }
    return filled(board, rows)
