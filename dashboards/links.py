"""The *Links (Toxiproxy)* dashboard: each edge as its caller sees it, and as Toxiproxy counts it."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards import queries as q
from dashboards.frame import filled, frame
from dashboards.panels import ANY_IS_BAD, ON, UP, Panels, Query, Told, lines, states
from services.kit.telemetry import metrics

LINK = "{{link}}"


FAILED = q.per_second(q.ATTEMPTS, ("link", "error_type"), 'error_type!=""')
SLOW = ((None, "green"), (3, "red"))
_HTTP: Panels = [
    lines(
        Told(
            "Attempts",
            "Attempts a second over each link, retries and compensations included.",
            "reqps",
        ),
        Query(q.per_second(q.ATTEMPTS, ("link",)), LINK),
    ),
    lines(
        Told(
            "Attempts that failed",
            "By link and mechanism. On the link that is broken they come first; those above it follow.",
            "reqps",
            ANY_IS_BAD,
        ),
        Query(q.or_none(FAILED, "link"), "{{link}} {{error_type}}"),
        stacked=True,
    ),
    lines(
        Told(
            "Latency p95",
            "From the caller's side, so with the toxic. Dots are exemplars and lead to Jaeger.",
            "s",
            SLOW,
        ),
        Query(q.quantile(0.95, metrics.CLIENT_DURATION, ("link",)), LINK, exemplars=True),
    ),
    lines(
        Told("Latency p50", "The same, of the middle attempt.", "s", SLOW),
        Query(q.quantile(0.5, metrics.CLIENT_DURATION, ("link",)), LINK),
    ),
]


_DATABASES: Panels = [
    lines(
        Told("Statements", "Statements a second over each link to a database.", "ops"),
        Query(q.per_second(q.STATEMENTS, ("link",)), LINK),
    ),
    lines(
        Told(
            "Statements, p95",
            "With the toxic; a statement is given up after 1 s.",
            "s",
            ((None, "green"), (1, "red")),
        ),
        Query(q.quantile(0.95, metrics.STATEMENT_DURATION, ("link",)), LINK),
    ),
]


_TOXIPROXY: Panels = [
    lines(
        Told(
            "Bytes through each proxy",
            "By Toxiproxy's own count, which moves only when a connection closes: kept-alive "
            "links show a step when their connections are cut.",
            "Bps",
        ),
        Query(
            q.per_second(q.TOXIPROXY_RECEIVED, ("proxy", "direction")),
            "{{proxy}} {{direction}}",
        ),
    ),
    states(
        Told(
            "Faults on links",
            "What the runner has put on each link, and when.",
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
        Told(
            "Toxiproxy",
            "Whether its API answers Prometheus. It is one process: when it is down, every link is.",
            "short",
        ),
        UP,
        Query('up{job="toxiproxy"}', "{{job}}", always=True),
    ),
    lines(
        Told(
            "Goroutines of Toxiproxy",
            "Some for each connection; a number that only grows is a leak.",
            "short",
            ((None, "green"), (5000, "red")),
        ),
        Query('go_goroutines{job="toxiproxy"}', "goroutines", always=True),
    ),
]


def build() -> Dashboard:
    """The dashboard."""
    about = (
        "Every edge of the system is one Toxiproxy proxy: what its caller sees of it, attempt by "
        "attempt, and what went through the proxy."
    )
    board = frame("aguante-links", "Aguante: Links (Toxiproxy)", about)
    rows = {
        "Service to service": _HTTP,
        "Service to database": _DATABASES,
        "Toxiproxy": _TOXIPROXY,
    }
    return filled(board, rows)
