"""The *Services (RED)* dashboard: rate, errors and duration of each service."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards import queries as q
from dashboards.frame import filled, frame
from dashboards.panels import Panels, Query, Told, lines, number
from services.kit.telemetry import metrics

NAME = "{{service}}"
BY_CODE = "{{service}} {{http_response_status_code}} {{error_type}}"
FAILED = f'{q.CHOSEN},http_response_status_code=~"5.."'


TOTAL = q.per_second(q.ANSWERS, ("service",), q.CHOSEN)
ROUTES = q.per_second(q.ANSWERS, ("service", "http_request_method", "http_route"), q.CHOSEN)
_RATE: Panels = [
    lines(
        Told("Requests", "Answers a second of each service, whatever they were.", "reqps"),
        Query(TOTAL, NAME),
    ),
    lines(
        Told("Requests by route", "The same by method and route.", "reqps"),
        Query(ROUTES, "{{service}} {{http_request_method}} {{http_route}}"),
    ),
]


FAILURES = q.per_second(q.ANSWERS, ("service",), FAILED)
EVERY = q.per_second(q.ANSWERS, ("service",), q.CHOSEN)
_ERRORS: Panels = [
    number(
        Told(
            "Share of 5xx",
            "Of a service's answers, how many are its own or a callee's failure. 402, 409 and 429 are none.",
            "percentunit",
            ((None, "green"), (0.01, "yellow"), (0.05, "red")),
        ),
        Query(f"(({FAILURES}) or 0 * ({EVERY})) / (({EVERY}) > 0) or 0 * ({EVERY})", NAME),
    ),
    lines(
        Told(
            "Answers other than 200",
            "By status and mechanism. The service nearest to the fault shows it first.",
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


TIMEOUTS = "A caller's timeout lies above the callee's: 2 s inventory, 3 s payments, 5 s the whole request."
_DURATION: Panels = [
    lines(
        Told(f"Latency p{100 * p:g}", TIMEOUTS, "s", ((None, "green"), (5, "red"))),
        Query(q.quantile(p, metrics.SERVER_DURATION, ("service",), q.CHOSEN), NAME, exemplars=True),
    )
    for p in (0.5, 0.95)
]


_SATURATION: Panels = [
    lines(
        Told(
            "In flight",
            "Requests that are being worked on, by instance: by Little's law, rate times duration.",
            "short",
            ((None, "green"), (64, "red")),
        ),
        Query(f"{metrics.ACTIVE_REQUESTS}{{{q.CHOSEN}}}", "{{instance}}"),
    ),
    lines(
        Told(
            "Pool connections in use",
            "Of each pool of database connections; at its size the next statement waits, at most 0.5 s.",
            "short",
            ((None, "green"), (10, "red")),
        ),
        Query(f'sum by (link) ({metrics.CONNECTIONS}{{state="used"}})', "{{link}} used"),
        Query(f"sum by (link) ({metrics.CONNECTIONS_MAX})", "{{link}} size"),
    ),
]


def build() -> Dashboard:
    """The dashboard."""
    about = "Rate, errors, duration of each service, by its own count: the same three questions for all."
    board = frame("aguante-services", "Aguante: Services (RED)", about, service=True)
    rows = {
        "Rate": _RATE,
        "Errors": _ERRORS,
        "Duration": _DURATION,
        "Saturation": _SATURATION,
    }
    return filled(board, rows)
