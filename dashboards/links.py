"""The *Links (Toxiproxy)* dashboard: each link as its caller sees it, and as Toxiproxy counts it."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards import queries as q
from dashboards.frame import filled, frame
from dashboards.panels import ANY_IS_BAD, ON, UP, Panels, PanelText, Query, lines, states
from services.kit.telemetry import metrics

LINK = "{{link}}"


FAILED = q.per_second(q.ATTEMPTS, ("link", "error_type"), 'error_type!=""')
SLOW = ((None, "green"), (3, "red"))
_HTTP: Panels = [
    lines(
        PanelText(
            "Attempts",
            "Attempts per second on each link, including retries and compensations.",
            "reqps",
        ),
        Query(q.per_second(q.ATTEMPTS, ("link",)), LINK),
    ),
    lines(
        PanelText(
            "Failed attempts",
            "By link and mechanism. Failures appear first on the broken link, then on the links above it.",
            "reqps",
            ANY_IS_BAD,
        ),
        Query(q.or_none(FAILED, "link"), "{{link}} {{error_type}}"),
        stacked=True,
    ),
    lines(
        PanelText(
            "Latency p95",
            "Measured by the caller, so it includes the toxic. Dots are exemplars and link to Jaeger.",
            "s",
            SLOW,
        ),
        Query(q.quantile(0.95, metrics.CLIENT_DURATION, ("link",)), LINK, exemplars=True),
    ),
    lines(
        PanelText("Latency p50", "The median attempt, measured by the caller.", "s", SLOW),
        Query(q.quantile(0.5, metrics.CLIENT_DURATION, ("link",)), LINK),
    ),
]


_DATABASES: Panels = [
    lines(
        PanelText("Statements", "Statements per second on each link to a database.", "ops"),
        Query(q.per_second(q.STATEMENTS, ("link",)), LINK),
    ),
    lines(
        PanelText(
            "Statements, p95",
            "Includes the toxic. Statements time out after 1 s.",
            "s",
            ((None, "green"), (1, "red")),
        ),
        Query(q.quantile(0.95, metrics.STATEMENT_DURATION, ("link",)), LINK),
    ),
]


_TOXIPROXY: Panels = [
    lines(
        PanelText(
            "Bytes through each proxy",
            "Counted by Toxiproxy when a connection closes, so links with kept-alive connections "
            "show a step when their connections are cut.",
            "Bps",
        ),
        Query(
            q.per_second(q.TOXIPROXY_RECEIVED, ("proxy", "direction")),
            "{{proxy}} {{direction}}",
        ),
    ),
    states(
        PanelText(
            "Faults on links",
            "Faults that the runner applied to each link.",
            "short",
        ),
        ON,
        Query(
            f'max by (link, kind) ({q.FAULT_ACTIVE}{{link!="",{q.OF_RUN}}})',
            "{{link}} {{kind}}",
            always=True,
        ),
    ),
    states(
        PanelText(
            "Toxiproxy",
            "Whether Prometheus can scrape Toxiproxy. It is one process; if it is down, every link is down.",
            "short",
        ),
        UP,
        Query('up{job="toxiproxy"}', "{{job}}", always=True),
    ),
    lines(
        PanelText(
            "Goroutines of Toxiproxy",
            "A few per connection; a number that only grows indicates a leak.",
            "short",
            ((None, "green"), (5000, "red")),
        ),
        Query('go_goroutines{job="toxiproxy"}', "goroutines", always=True),
    ),
]


def build() -> Dashboard:
    """Return the dashboard."""
    about = (
        "Every link of the system is one Toxiproxy proxy: the attempts as its caller sees them, "
        "and the traffic through the proxy."
    )
    board = frame("aguante-links", "Aguante: Links (Toxiproxy)", about)
    rows = {
        "Service to service": _HTTP,
        "Service to database": _DATABASES,
        "Toxiproxy": _TOXIPROXY,
    }
    return filled(board, rows)
