"""The *Experiment* dashboard: what a run's faults did to those who called, and which pattern answered how."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards import queries as q
from dashboards.frame import filled, frame
from dashboards.panels import ANY_IS_BAD, ON, Panels, Query, Told, lines, matrix, number, states
from services.kit.telemetry import metrics

OK = f'{q.GATEWAY},http_response_status_code="200"'
FAILED = f'{q.GATEWAY},http_response_status_code!="200"'
BREAKER = {0: ("closed", "green"), 1: ("half open", "yellow"), 2: ("open", "red")}
PHASES = {1: ("on", "blue")}
GOODPUT = q.per_second(q.ANSWERS, (), OK)
ALL = q.per_second(q.ANSWERS, (), q.GATEWAY)
STEP_S, DEADLINE_S = 3, 5


def breakers(where: str = "") -> str:
    """0 closed, 1 half-open, 2 open, for each link."""
    half = f'max by (link) ({metrics.BREAKER_STATE}{{state="half_open"{where}}})'
    opened = f'max by (link) ({metrics.BREAKER_STATE}{{state="open"{where}}})'
    return f"{half} + 2 * {opened}"


BY_ANSWER = Query(
    q.or_none(q.per_second(q.ANSWERS, q.ANSWER, q.GATEWAY), "error_type"),
    "{{http_response_status_code}} {{error_type}}",
)
_ANSWERS: Panels = [
    lines(
        Told(
            "Answers by status and mechanism",
            "What the gateway answered, each second, and which mechanism made it: 429 is the "
            "gateway's own semaphore, 504 a timeout, 503 a breaker, a full bulkhead or nobody there.",
            "reqps",
            span=16,
            height=11,
        ),
        BY_ANSWER,
        stacked=True,
    ),
    number(
        Told(
            "Goodput",
            "Requests a second that were answered with 200.",
            "reqps",
            ((None, "red"), (1, "green")),
            span=4,
            height=11,
        ),
        Query(GOODPUT, "200"),
    ),
    number(
        Told(
            "Share of 200",
            "Of all answers, how many are 200. Below 95 % the baseline is lost.",
            "percentunit",
            ((None, "red"), (0.95, "green")),
            span=4,
            height=11,
        ),
        Query(q.share(GOODPUT, ALL), "200 of all"),
    ),
    states(
        Told(
            "Faults and phases",
            "When each fault held, and which phase the run was in, as the runner tells it.",
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
        Told(
            "Latency of 200",
            "From the gateway's side, without the client's wait to be accepted. The dots are "
            "exemplars: each leads to its trace in Jaeger.",
            "s",
            ((None, "green"), (DEADLINE_S, "red")),
        ),
        *(
            Query(q.quantile(p, metrics.SERVER_DURATION, (), OK), f"p{100 * p:g}", p == 0.95)
            for p in (0.5, 0.95, 0.99)
        ),
    ),
    lines(
        Told(
            "Latency of failures, p95",
            "How long a caller waits to be refused: a timeout costs its whole length, an open "
            "breaker some milliseconds.",
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
COUNTED = (
    "Counted at the gateway when it answered, by the second; the verdict counts by intended start."
)
_PHASES: Panels = [
    matrix(
        Told(
            "Answers a second in each phase",
            f"The mean over each phase of the chosen run. {COUNTED}",
            "reqps",
        ),
        "answer",
        "phase",
        Query(JOINED.format(f"({q.by_phase(q.ANSWERS, q.ANSWER, q.GATEWAY)}) > 0"), always=True),
    ),
    matrix(
        Told(
            "Difference to the baseline",
            f"What each phase had more (or less) than the baseline, in answers a second. {COUNTED}",
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
        Told(
            "Breakers",
            "The state of each link's breaker: open refuses at once, half-open lets one probe through.",
            "short",
        ),
        BREAKER,
        Query(breakers(), "{{link}}"),
    ),
    lines(
        Told(
            "Calls refused before sending",
            "By link and mechanism: what the breaker, the bulkhead and the deadline kept off a callee.",
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
        Told(
            "Retries",
            "Repetitions a second, by link and by what had failed. More than a tenth of the calls is the budget.",
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
        Told(
            "Requests in flight at the gateway",
            "The default policy's semaphore has 64 places: at the line the gateway begins to answer 429.",
            "short",
            ((None, "green"), (64, "red")),
        ),
        Query(f"sum by (instance) ({metrics.ACTIVE_REQUESTS}{{{q.GATEWAY}}})", "{{instance}}"),
    ),
]


COMPENSATIONS = lines(
    Told(
        "Compensations",
        "Releases and refunds sent, by how they ended: an empty mechanism held.",
        "ops",
        ANY_IS_BAD,
    ),
    Query(
        q.or_none(q.per_second(metrics.COMPENSATIONS, ("step", "error_type")), "step"),
        "{{step}} {{error_type}}",
    ),
)
_SAGA: Panels = [
    lines(
        Told(
            "Saga transitions",
            "Committed changes of state a second: everything that is COMPENSATING must become COMPENSATED.",
            "ops",
        ),
        Query(
            q.per_second(metrics.SAGA_TRANSITIONS, ("from_state", "to_state")),
            "{{from_state}} to {{to_state}}",
        ),
    ),
    COMPENSATIONS,
]


def build() -> Dashboard:
    """The dashboard, with its panels in the order of the questions: what, since when, why."""
    about = (
        "Status codes by the mechanism that made them, while an experiment breaks a link or a "
        "process. Red regions are faults, grey ones the run's phases."
    )
    board = frame("aguante-experiment", "Aguante: Experiment", about)
    rows = {
        "What clients get": _ANSWERS,
        "Each phase against the baseline": _PHASES,
        "What the patterns do": _PATTERNS,
        "What the system holds back and gives back": _SAGA,
    }
    return filled(board, rows)
