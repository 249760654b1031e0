"""The *Services (RED)* dashboard: rate, errors and duration of each service."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards import queries as q
from dashboards.frame import filled, frame
from dashboards.panels import Panels, PanelText, Query, lines, number
from services.kit.telemetry import metrics

NAME = "{{service}}"
BY_CODE = "{{service}} {{http_response_status_code}} {{error_type}}"
FAILED = f'{q.CHOSEN},http_response_status_code=~"5.."'


TOTAL = q.per_second(q.ANSWERS, ("service",), q.CHOSEN)
ROUTES = q.per_second(q.ANSWERS, ("service", "http_request_method", "http_route"), q.CHOSEN)
_RATE: Panels = [
    lines(
        PanelText("Requests", "Responses per second of each service, of any status.", "reqps"),
        Query(TOTAL, NAME),
    ),
    lines(
        PanelText("Requests by route", "Responses per second by method and route.", "reqps"),
        Query(ROUTES, "{{service}} {{http_request_method}} {{http_route}}"),
    ),
]


FAILURES = q.per_second(q.ANSWERS, ("service",), FAILED)
EVERY = q.per_second(q.ANSWERS, ("service",), q.CHOSEN)
_ERRORS: Panels = [
    number(
        PanelText(
            "Share of 5xx",
            "Share of a service's responses that are 5xx, its own failures or a callee's. 429 does not count.",
            "percentunit",
            ((None, "green"), (0.01, "yellow"), (0.05, "red")),
        ),
        Query(f"(({FAILURES}) or 0 * ({EVERY})) / (({EVERY}) > 0) or 0 * ({EVERY})", NAME),
    ),
    lines(
        PanelText(
            "Responses other than 200",
            "By status and mechanism. The service closest to the fault shows it first.",
            "reqps",
            ((None, "green"), (1, "red")),
        ),
        Query(
            q.or_none(
                q.per_second(
                    q.ANSWERS,
                    ("service", *q.ANSWER),
                    f'{q.CHOSEN},http_response_status_code!="200"',
                ),
                "service",
            ),
            BY_CODE,
        ),
        stacked=True,
    ),
]


TIMEOUTS = "Timeouts: 2 s for inventory, 3 s for payments, 5 s for the whole request."
_DURATION: Panels = [
    lines(
        PanelText(f"Latency p{100 * p:g}", TIMEOUTS, "s", ((None, "green"), (5, "red"))),
        Query(q.quantile(p, metrics.SERVER_DURATION, ("service",), q.CHOSEN), NAME, exemplars=True),
    )
    for p in (0.5, 0.95)
]


_SATURATION: Panels = [
    lines(
        PanelText(
            "In flight",
            "Requests in progress, by instance. By Little's law, this is rate times duration.",
            "short",
            ((None, "green"), (64, "red")),
        ),
        Query(f"{metrics.ACTIVE_REQUESTS}{{{q.CHOSEN}}}", "{{instance}}"),
    ),
    lines(
        PanelText(
            "Pool connections in use",
            "Connections in use in each database pool. When all are in use, statements wait up to 0.5 s.",
            "short",
            ((None, "green"), (10, "red")),
        ),
        Query(f'sum by (link) ({metrics.CONNECTIONS}{{state="used"}})', "{{link}} used"),
        Query(f"sum by (link) ({metrics.CONNECTIONS_MAX})", "{{link}} size"),
    ),
]


def build() -> Dashboard:
    """Return the dashboard."""
    about = "Rate, errors and duration of each service, measured by the service itself."
    board = frame("aguante-services", "Aguante: Services (RED)", about, service=True)
    rows = {
        "Rate": _RATE,
        "Errors": _ERRORS,
        "Duration": _DURATION,
        "Saturation": _SATURATION,
    }
    return filled(board, rows)
