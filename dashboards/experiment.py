"""The *Experiment* dashboard: how a run's faults affected clients, and which pattern responded."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards import queries as q
from dashboards.frame import filled, frame
from dashboards.panels import (
    ANY_IS_BAD,
    ON,
    Panels,
    PanelText,
    Query,
    lines,
    matrix,
    number,
    states,
)
from services.kit.telemetry import metrics
from services.reservations import saga_metrics

OK = f'{q.GATEWAY},http_response_status_code="200"'
FAILED = f'{q.GATEWAY},http_response_status_code!="200"'
BREAKER = {0: ("closed", "green"), 1: ("half open", "yellow"), 2: ("open", "red")}
PHASES = {1: ("on", "blue")}
GOODPUT = q.per_second(q.ANSWERS, (), OK)
ALL = q.per_second(q.ANSWERS, (), q.GATEWAY)
STEP_S, DEADLINE_S = 3, 5


def breakers(where: str = "") -> str:
    """Return the query of each link's breaker state: 0 closed, 1 half-open, 2 open."""
    half = f'max by (link) ({metrics.BREAKER_STATE}{{state="half_open"{where}}})'
    opened = f'max by (link) ({metrics.BREAKER_STATE}{{state="open"{where}}})'
    return f"{half} + 2 * {opened}"


BY_ANSWER = Query(
    q.or_none(q.per_second(q.ANSWERS, q.ANSWER, q.GATEWAY), "error_type"),
    "{{http_response_status_code}} {{error_type}}",
)
_ANSWERS: Panels = [
    lines(
        PanelText(
            "Responses by status and mechanism",
            "The gateway's responses per second, by the mechanism that caused them: 429 is its own "
            "semaphore, 504 a timeout, 503 an open breaker, a full bulkhead or an unreachable callee.",
            "reqps",
            span=16,
            height=11,
        ),
        BY_ANSWER,
        stacked=True,
    ),
    number(
        PanelText(
            "Goodput",
            "Requests per second with status 200.",
            "reqps",
            ((None, "red"), (1, "green")),
            span=4,
            height=11,
        ),
        Query(GOODPUT, "200"),
    ),
    number(
        PanelText(
            "Share of 200",
            "Share of all responses that are 200. Below 95 %, the system has left its baseline.",
            "percentunit",
            ((None, "red"), (0.95, "green")),
            span=4,
            height=11,
        ),
        Query(q.share(GOODPUT, ALL), "200 of all"),
    ),
    states(
        PanelText(
            "Faults and phases",
            "When each fault was active, and the phase of the run, as reported by the runner.",
            "short",
            span=24,
            height=6,
        ),
        ON,
        Query(
            f"max by (fault, link, service, kind) ({q.FAULT_ACTIVE}{{{q.OF_RUN}}})",
            "{{fault}}: {{kind}} on {{link}}{{service}}",
            always=True,
        ),
        Query(f"max by (phase) ({q.PHASE}{{{q.OF_RUN}}})", "{{phase}}", always=True),
    ),
    lines(
        PanelText(
            "Latency of 200",
            "Measured by the gateway, without the time to accept the connection. The dots are "
            "exemplars; each links to its trace in Jaeger.",
            "s",
            ((None, "green"), (DEADLINE_S, "red")),
        ),
        *(
            Query(q.quantile(p, metrics.SERVER_DURATION, (), OK), f"p{100 * p:g}", p == 0.95)
            for p in (0.5, 0.95, 0.99)
        ),
    ),
    lines(
        PanelText(
            "Latency of failures, p95",
            "How long a caller waits for a failure: the full length of a timeout, or a few "
            "milliseconds with an open breaker.",
            "s",
            ((None, "green"), (STEP_S, "red")),
        ),
        Query(
            q.quantile(0.95, metrics.SERVER_DURATION, q.ANSWER, FAILED),
            "{{http_response_status_code}} {{error_type}}",
            exemplars=True,
        ),
    ),
]


JOINED = 'label_join({}, "answer", " ", "http_response_status_code", "error_type")'
COUNTED = "Counted by the gateway when it responds; the verdict counts by intended start."
_PHASES: Panels = [
    matrix(
        PanelText(
            "Responses per second in each phase",
            f"The mean over each phase of the chosen run. {COUNTED}",
            "reqps",
        ),
        "answer",
        "phase",
        Query(JOINED.format(f"({q.by_phase(q.ANSWERS, q.ANSWER, q.GATEWAY)}) > 0"), always=True),
    ),
    matrix(
        PanelText(
            "Difference to the baseline",
            f"How far each phase is above or below the baseline, in responses per second. {COUNTED}",
            "reqps",
            ((None, "orange"), (-1, "text"), (1, "orange")),
        ),
        "answer",
        "phase",
        Query(
            JOINED.format(f"({q.over_baseline(q.ANSWERS, q.ANSWER, q.GATEWAY)}) != 0"),
            always=True,
        ),
    ),
]


_PATTERNS: Panels = [
    states(
        PanelText(
            "Breakers",
            "State of each link's breaker. Open rejects every call; half-open admits one probe.",
            "short",
        ),
        BREAKER,
        Query(breakers(), "{{link}}"),
    ),
    lines(
        PanelText(
            "Calls rejected before sending",
            "By link and mechanism: calls that the breaker, bulkhead or deadline rejected.",
            "reqps",
            ANY_IS_BAD,
        ),
        Query(
            q.or_none(q.per_second(metrics.CALLS_REJECTED, ("link", "error_type")), "link"),
            "{{link}} {{error_type}}",
        ),
        stacked=True,
    ),
    lines(
        PanelText(
            "Retries",
            "Retries per second, by link and by the failure. The budget limits them to a tenth of the calls.",
            "reqps",
            ANY_IS_BAD,
        ),
        Query(
            q.or_none(q.per_second(metrics.RETRIES, ("link", "error_type")), "link"),
            "{{link}} after {{error_type}}",
        ),
        stacked=True,
    ),
    lines(
        PanelText(
            "Requests in flight at the gateway",
            "The semaphore of the default policy has 64 slots. At the line, the gateway starts to return 429.",
            "short",
            ((None, "green"), (64, "red")),
        ),
        Query(f"sum by (instance) ({metrics.ACTIVE_REQUESTS}{{{q.GATEWAY}}})", "{{instance}}"),
    ),
]


COMPENSATIONS = lines(
    PanelText(
        "Compensations",
        "Releases and refunds sent, by outcome; without a mechanism, they succeeded.",
        "ops",
        ANY_IS_BAD,
    ),
    Query(
        q.or_none(q.per_second(saga_metrics.COMPENSATIONS, ("step", "error_type")), "step"),
        "{{step}} {{error_type}}",
    ),
)
_SAGA: Panels = [
    lines(
        PanelText(
            "Saga transitions",
            "Committed state changes per second. Every COMPENSATING saga must become COMPENSATED.",
            "ops",
        ),
        Query(
            q.per_second(saga_metrics.SAGA_TRANSITIONS, ("from_state", "to_state")),
            "{{from_state}} to {{to_state}}",
        ),
    ),
    COMPENSATIONS,
]


def build() -> Dashboard:
    """Return the dashboard; its panels answer what happened, since when, and why, in this order."""
    about = (
        "Status codes by the mechanism that caused them, while an experiment breaks a link or a "
        "process. Red regions are faults, grey regions the phases of the run."
    )
    board = frame("aguante-experiment", "Aguante: Experiment", about)
    rows = {
        "What clients receive": _ANSWERS,
        "Each phase compared with the baseline": _PHASES,
        "What the patterns do": _PATTERNS,
        "Sagas and compensation": _SAGA,
    }
    return filled(board, rows)
