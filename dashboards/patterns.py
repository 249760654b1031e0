"""The *Patterns* dashboard: one row per resilience pattern."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards import queries as q
from dashboards.experiment import BREAKER, COMPENSATIONS, breakers
from dashboards.frame import filled, frame
from dashboards.panels import ANY_IS_BAD, Panels, PanelText, Query, lines, number, states
from services.kit.telemetry import metrics
from services.reservations import saga_metrics

LINK = "{{link}}"
CALL = ("link", "error_type")


def _refused(mechanism: str) -> str:
    return q.per_second(metrics.CALLS_REJECTED, ("link",), f'error_type="{mechanism}"')


def _ended(mechanism: str) -> str:
    counted = q.per_second(q.ATTEMPTS, ("link",), f'error_type="{mechanism}"')
    return q.or_none(counted, "link")


_SEMAPHORE: Panels = [
    lines(
        PanelText(
            "Requests rejected by the semaphore",
            "Requests per second that the gateway rejected with 429 before doing any work.",
            "reqps",
            ANY_IS_BAD,
        ),
        Query(
            q.or_none(q.per_second(metrics.REQUESTS_REJECTED, ("error_type",)), "error_type"),
            "{{error_type}}",
        ),
    ),
    lines(
        PanelText(
            "In flight",
            "Requests in flight in the gateway; the default policy has 64 slots.",
            "short",
            ((None, "green"), (64, "red")),
        ),
        Query(f"sum by (instance) ({metrics.ACTIVE_REQUESTS}{{{q.GATEWAY}}})", "{{instance}}"),
    ),
]


_TIME: Panels = [
    lines(
        PanelText(
            "Attempts ended by a timeout",
            "By link. Each took its full timeout, and the callee may have done the work.",
            "reqps",
            ANY_IS_BAD,
        ),
        Query(_ended("timeout"), LINK),
    ),
    lines(
        PanelText(
            "Rejected or cut short by the deadline",
            "Attempts for which the request's 5 s left too little time: not sent, or given up early.",
            "reqps",
            ANY_IS_BAD,
        ),
        Query(_refused("deadline"), "{{link}} not sent"),
        Query(_ended("deadline"), "{{link}} given up"),
    ),
]


ATTEMPTS = q.per_second(q.ATTEMPTS, ("link",))
RETRIES = q.per_second(metrics.RETRIES, ("link",))
_RETRY: Panels = [
    lines(
        PanelText(
            "Retries",
            "Retries per second, by link and by the failure.",
            "reqps",
            ANY_IS_BAD,
        ),
        Query(
            q.or_none(q.per_second(metrics.RETRIES, CALL), "link"),
            "{{link}} after {{error_type}}",
        ),
    ),
    lines(
        PanelText(
            "Retry amplification",
            "Attempts per call; 1 means no retries. The budget keeps it near 1.1.",
            "short",
            ((None, "green"), (1.2, "red")),
        ),
        Query(f"({ATTEMPTS}) / (({ATTEMPTS}) - ({RETRIES}) > 0) or 0 * ({ATTEMPTS}) + 1", LINK),
    ),
]


CHANGES = ("link", "from_state", "to_state")
_BREAKER: Panels = [
    states(
        PanelText("State", "State of each link's breaker. gateway-reservations has none.", "short"),
        BREAKER,
        Query(breakers(), LINK),
    ),
    lines(
        PanelText(
            "Rejected by an open breaker",
            "Calls per second that failed at once instead of waiting for a timeout.",
            "reqps",
            ANY_IS_BAD,
        ),
        Query(_refused("breaker_open"), LINK),
    ),
    lines(
        PanelText(
            "State changes",
            "Number of state changes of each breaker in the window.",
            "short",
            ANY_IS_BAD,
        ),
        Query(
            f"sum by ({', '.join(CHANGES)}) ({q.grown(metrics.BREAKER_TRANSITIONS)})",
            "{{link}} {{from_state}} to {{to_state}}",
        ),
    ),
    lines(
        PanelText(
            "Probes",
            "Test calls of a half-open breaker: one every 5 s while the callee keeps failing.",
            "reqps",
        ),
        Query(q.per_second(metrics.BREAKER_PROBES, ("link",)), LINK),
    ),
]


_BOUNDS: Panels = [
    lines(
        PanelText(
            "Rejected by a full bulkhead",
            "Calls to notifications beyond the 8 slots; the outbox sends them later.",
            "reqps",
            ANY_IS_BAD,
        ),
        Query(_refused("bulkhead_full"), LINK),
    ),
    number(
        PanelText(
            "Pool in use",
            "Share of each service's database connections in use. With a full pool, statements wait up to 0.5 s.",
            "percentunit",
            ((None, "green"), (0.8, "yellow"), (1, "red")),
        ),
        Query(
            f'sum by (link) ({metrics.CONNECTIONS}{{state="used"}}) '
            f"/ sum by (link) ({metrics.CONNECTIONS_MAX})",
            LINK,
        ),
    ),
    lines(
        PanelText(
            "Statements, p95",
            "95th percentile of each kind of statement. Row lock contention shows as a slow SELECT "
            "in inventory: buyers of one event wait for each other.",
            "s",
            ((None, "green"), (1, "red")),
        ),
        Query(
            q.quantile(0.95, metrics.STATEMENT_DURATION, ("link", "db_query_summary")),
            "{{link}} {{db_query_summary}}",
        ),
    ),
    lines(
        PanelText(
            "Failed statements",
            "By link and mechanism: waiting too long for a row is a timeout; a cut link is database_unavailable.",
            "ops",
            ANY_IS_BAD,
        ),
        Query(
            q.or_none(q.per_second(q.STATEMENTS, CALL, 'error_type!=""'), "link"),
            "{{link}} {{error_type}}",
        ),
    ),
]


BEGUN = f'{saga_metrics.SAGA_TRANSITIONS}{{to_state="COMPENSATING"}}'
ENDED = f'{saga_metrics.SAGA_TRANSITIONS}{{from_state="COMPENSATING"}}'
NOTIFIED = q.per_second(
    q.ATTEMPTS, ("http_response_status_code", "error_type"), 'link="reservations-notifications"'
)
_SAGA: Panels = [
    lines(
        PanelText(
            "Sagas waiting for compensation",
            "Sagas that are COMPENSATING. Returns to 0 when the system has settled.",
            "short",
            ANY_IS_BAD,
        ),
        # the last sagas of a run are compensated after its last phase
        Query(f"sum({BEGUN}) - sum({ENDED})", "compensating", always=True),
    ),
    COMPENSATIONS,
    lines(
        PanelText(
            "Notifications",
            "Outcome of each attempt to notify. If it fails, the reservation is still confirmed, and "
            "the notification waits in the outbox.",
            "reqps",
        ),
        Query(q.or_none(NOTIFIED, "error_type"), "{{http_response_status_code}} {{error_type}}"),
        stacked=True,
    ),
    lines(
        PanelText("Reservations", "Completed sagas, by final state.", "ops"),
        Query(
            q.per_second(
                saga_metrics.SAGA_TRANSITIONS,
                ("to_state",),
                'to_state=~"CONFIRMED|COMPENSATED|ABORTED"',
            ),
            "{{to_state}}",
        ),
    ),
]


def build() -> Dashboard:
    """Return the dashboard, outermost pattern first."""
    about = (
        "What each resilience pattern does, outermost first. docs/patterns explains their purpose, "
        "and what happens without them. Compare with a run under another policy."
    )
    board = frame("aguante-patterns", "Aguante: Patterns", about)
    rows = {
        "Semaphore": _SEMAPHORE,
        "Deadline and timeout": _TIME,
        "Retry": _RETRY,
        "Circuit breaker": _BREAKER,
        "Bulkhead, pool and lock": _BOUNDS,
        "Saga, compensation and degradation": _SAGA,
    }
    return filled(board, rows)
