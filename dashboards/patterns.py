"""The *Patterns* dashboard: one row a pattern, so that each can be watched alone, and switched off."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards import queries as q
from dashboards.experiment import BREAKER, COMPENSATIONS, breakers
from dashboards.frame import filled, frame
from dashboards.panels import ANY_IS_BAD, Panels, Query, Told, lines, number, states
from services.kit.telemetry import metrics

LINK = "{{link}}"
CALL = ("link", "error_type")


def _refused(mechanism: str) -> str:
    return q.per_second(metrics.CALLS_REJECTED, ("link",), f'error_type="{mechanism}"')


def _ended(mechanism: str) -> str:
    counted = q.per_second(q.ATTEMPTS, ("link",), f'error_type="{mechanism}"')
    return q.or_none(counted, "link")


_SEMAPHORE: Panels = [
    lines(
        Told(
            "Turned away at the door",
            "Requests a second that the gateway answered with 429 before any work.",
            "reqps",
            ANY_IS_BAD,
        ),
        Query(
            q.or_none(q.per_second(metrics.REQUESTS_REJECTED, ("error_type",)), "error_type"),
            "{{error_type}}",
        ),
    ),
    lines(
        Told(
            "In flight",
            "Requests inside the gateway; the default policy has 64 places.",
            "short",
            ((None, "green"), (64, "red")),
        ),
        Query(f"sum by (instance) ({metrics.ACTIVE_REQUESTS}{{{q.GATEWAY}}})", "{{instance}}"),
    ),
]


_TIME: Panels = [
    lines(
        Told(
            "Attempts ended by a timeout",
            "By link; each of them took its whole timeout, and the callee may have done the work.",
            "reqps",
            ANY_IS_BAD,
        ),
        Query(_ended("timeout"), LINK),
    ),
    lines(
        Told(
            "Refused or cut short by the deadline",
            "Attempts for which the request's 5 s left no time: not sent, or given up early.",
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
        Told(
            "Retries",
            "Repetitions a second, by link and by what had failed before.",
            "reqps",
            ANY_IS_BAD,
        ),
        Query(
            q.or_none(q.per_second(metrics.RETRIES, CALL), "link"),
            "{{link}} after {{error_type}}",
        ),
    ),
    lines(
        Told(
            "Retry amplification",
            "Attempts for each call that was made once: 1 is none. The budget holds it near 1.1.",
            "short",
            ((None, "green"), (1.2, "red")),
        ),
        Query(f"({ATTEMPTS}) / (({ATTEMPTS}) - ({RETRIES}) > 0) or 0 * ({ATTEMPTS}) + 1", LINK),
    ),
]


CHANGES = ("link", "from_state", "to_state")
_BREAKER: Panels = [
    states(
        Told("State", "Of each link's breaker; there is none on gateway-reservations.", "short"),
        BREAKER,
        Query(breakers(), LINK),
    ),
    lines(
        Told(
            "Refused by an open breaker",
            "Calls a second that failed at once instead of waiting for a timeout.",
            "reqps",
            ANY_IS_BAD,
        ),
        Query(_refused("breaker_open"), LINK),
    ),
    lines(
        Told(
            "Changes of state",
            "How often each breaker went from one state to another, in the window.",
            "short",
            ANY_IS_BAD,
        ),
        Query(
            f"sum by ({', '.join(CHANGES)}) ({q.grown(metrics.BREAKER_TRANSITIONS)})",
            "{{link}} {{from_state}} to {{to_state}}",
        ),
    ),
    lines(
        Told(
            "Probes",
            "Trial calls of a half-open breaker: one every 5 s while the callee stays broken.",
            "reqps",
        ),
        Query(q.per_second(metrics.BREAKER_PROBES, ("link",)), LINK),
    ),
]


_BOUNDS: Panels = [
    lines(
        Told(
            "Refused by a full bulkhead",
            "Calls to notifications beyond its 8 places: their notice goes to the outbox.",
            "reqps",
            ANY_IS_BAD,
        ),
        Query(_refused("bulkhead_full"), LINK),
    ),
    number(
        Told(
            "Pool in use",
            "Of each service's database connections; a full pool makes callers wait, at most 0.5 s.",
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
        Told(
            "Statements, p95",
            "The slowest twentieth of each kind of statement. A row's lock shows as a slow "
            "SELECT of inventory: buyers of one event wait for each other.",
            "s",
            ((None, "green"), (1, "red")),
        ),
        Query(
            q.quantile(0.95, metrics.STATEMENT_DURATION, ("link", "db_query_summary")),
            "{{link}} {{db_query_summary}}",
        ),
    ),
    lines(
        Told(
            "Statements that failed",
            "By link and mechanism: a row waited for too long is a timeout, a cut link a lost database.",
            "ops",
            ANY_IS_BAD,
        ),
        Query(
            q.or_none(q.per_second(q.STATEMENTS, CALL, 'error_type!=""'), "link"),
            "{{link}} {{error_type}}",
        ),
    ),
]


BEGUN = f'{metrics.SAGA_TRANSITIONS}{{to_state="COMPENSATING"}}'
ENDED = f'{metrics.SAGA_TRANSITIONS}{{from_state="COMPENSATING"}}'
NOTIFIED = q.per_second(
    q.ATTEMPTS, ("http_response_status_code", "error_type"), 'link="reservations-notifications"'
)
_SAGA: Panels = [
    lines(
        Told(
            "Given up, and not yet given back",
            "Sagas that went into COMPENSATING and have not left it: back at 0 when all is settled.",
            "short",
            ANY_IS_BAD,
        ),
        # a run's last ones are given back after its last phase
        Query(f"sum({BEGUN}) - sum({ENDED})", "compensating", always=True),
    ),
    COMPENSATIONS,
    lines(
        Told(
            "Notices",
            "What became of each attempt to notify; while they fail, reservations stand and their "
            "notices wait in the outbox.",
            "reqps",
        ),
        Query(q.or_none(NOTIFIED, "error_type"), "{{http_response_status_code}} {{error_type}}"),
        stacked=True,
    ),
    lines(
        Told("Reservations", "Sagas that ended, by how.", "ops"),
        Query(
            q.per_second(
                metrics.SAGA_TRANSITIONS,
                ("to_state",),
                'to_state=~"CONFIRMED|COMPENSATED|ABORTED"',
            ),
            "{{to_state}}",
        ),
    ),
]


def build() -> Dashboard:
    """The dashboard, outermost pattern first."""
    about = (
        "What each resilience pattern does, outermost first; docs/patterns says what for, and "
        "what goes wrong without it. Compare a run under another policy."
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
