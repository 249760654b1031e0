"""The Prometheus metrics of every service: these names, labels and buckets, and nowhere else.

`http_server_request_duration_seconds`: responses, by `http_request_method`, `http_route` (the template),
`http_response_status_code` and `error_type` (the mechanism; empty on a 2xx).
`http_client_request_duration_seconds`: attempts over a `link`, with the same four labels; the status is empty when
no response came. Its `_count` is the number of attempts.
`http_server_active_requests`: requests in flight.
`aguante_requests_rejected_total`: rejected on arrival, by `error_type`.
`aguante_calls_rejected_total`: refused before sending, by `link` and `error_type`.
`aguante_breaker_state`: 1 for the state that a `link`'s breaker is in, else 0, by `state`.
`aguante_breaker_transitions_total`: by `link`, `from_state`, `to_state`.
`aguante_breaker_probes_total`: trial calls of a half-open breaker, by `link`.
`aguante_retries_total`: retries scheduled, by `link` and `error_type` (of what failed).
`db_client_operation_duration_seconds`: statements, by `link`, `db_query_summary`, `error_type`.
`db_client_connection_count`: pool connections, by `link` and `state` (`used`, `idle`).
`db_client_connection_max`: the pool's size, by `link`.
`aguante_spans_exported_total` and `aguante_spans_dropped_total` (by `reason`).
A service may add metrics of its own with `counter` and `on`.

Exemplars (`trace_id`) are on both HTTP histograms, in the OpenMetrics format only.
Every child that can be foreseen exists at 0 from the start (the `expect_` methods). Rendering takes 0.05 ms per
histogram child on the event loop (`exposition.py`): keep label sets small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

from services.kit.failures.expected import NO_RESPONSE, OF_STATEMENTS
from services.kit.failures.problem import STATUS_OF, Mechanism
from services.kit.telemetry import events
from services.kit.telemetry.events import BreakerState
from services.kit.telemetry.exposition import Exposition

# As Prometheus shows them; the client library takes a counter's name with or without `_total`.
SERVER_DURATION = "http_server_request_duration_seconds"
CLIENT_DURATION = "http_client_request_duration_seconds"
ACTIVE_REQUESTS = "http_server_active_requests"
REQUESTS_REJECTED = "aguante_requests_rejected_total"
CALLS_REJECTED = "aguante_calls_rejected_total"
BREAKER_STATE = "aguante_breaker_state"
BREAKER_TRANSITIONS = "aguante_breaker_transitions_total"
BREAKER_PROBES = "aguante_breaker_probes_total"
RETRIES = "aguante_retries_total"
STATEMENT_DURATION = "db_client_operation_duration_seconds"
CONNECTIONS = "db_client_connection_count"
CONNECTIONS_MAX = "db_client_connection_max"
SPANS_EXPORTED = "aguante_spans_exported_total"
SPANS_DROPPED = "aguante_spans_dropped_total"

# Every timeout of the default policy is an edge (a test compares them): 0.5 acquire, 1 statement, 2 and 3 steps, 5
# deadline, 7 client. 4.8 is not, although the deadline ends calls there: their error_type says so.
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.0)
STATEMENT_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 2.0)

# They are a second sample per child that no dashboard reads.
disable_created_metrics()  # type: ignore[no-untyped-call]

E = TypeVar("E", bound=events.Event)
_HTTP = ("http_request_method", "http_route", "http_response_status_code", "error_type")


class Metrics:
    """One service's metrics in a registry of their own, so that several services fit in one test process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.render = Exposition(self.registry).render
        self._make_http()
        self._make_patterns()
        self._make_database()
        self._make_spans()
        self._observers: dict[type, Callable[..., None]] = {
            events.RequestFinished: self._request_finished,
            events.AttemptFinished: self._attempt_finished,
            events.RequestRejected: lambda e: self._rejected.labels(e.mechanism).inc(),
            events.CallRejected: lambda e: self._calls_rejected.labels(e.link, e.mechanism).inc(),
            events.BreakerChanged: self._breaker_changed,
            events.ProbeAdmitted: lambda e: self._probes.labels(e.link).inc(),
            events.RetryScheduled: lambda e: self._retries.labels(e.link, e.mechanism).inc(),
            events.StatementFinished: self._statement_finished,
        }

    def _make_http(self) -> None:
        self._server = Histogram(
            SERVER_DURATION,
            "Responses sent.",
            _HTTP,
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self._client = Histogram(
            CLIENT_DURATION,
            "Attempts of a call over a link.",
            ("link", *_HTTP),
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self.active_requests = self._gauge(ACTIVE_REQUESTS, "Requests in flight.")

    def _make_patterns(self) -> None:
        link = ("link",)
        self._rejected = self.counter(REQUESTS_REJECTED, "Rejected on arrival.", ("error_type",))
        self._calls_rejected = self.counter(
            CALLS_REJECTED, "Refused before sending.", (*link, "error_type")
        )
        self._breaker = self._gauge(BREAKER_STATE, "1 for the state it is in.", (*link, "state"))
        self._transitions = self.counter(
            BREAKER_TRANSITIONS, "Changes of state.", (*link, "from_state", "to_state")
        )
        self._probes = self.counter(BREAKER_PROBES, "Trial calls when half-open.", link)
        self._retries = self.counter(RETRIES, "Retries scheduled.", (*link, "error_type"))

    def _make_database(self) -> None:
        self._statements = Histogram(
            STATEMENT_DURATION,
            "Database statements.",
            ("link", "db_query_summary", "error_type"),
            buckets=STATEMENT_BUCKETS_S,
            registry=self.registry,
        )
        self._connections = self._gauge(CONNECTIONS, "Connections of the pool.", ("link", "state"))
        self._pool_max = self._gauge(CONNECTIONS_MAX, "Size of the pool.", ("link",))

    def _make_spans(self) -> None:
        self.spans_exported = self.counter(SPANS_EXPORTED, "Spans the collector took.")
        self.spans_dropped = self.counter(SPANS_DROPPED, "Spans lost.", ("reason",))
        for reason in ("queue_full", "export_failed"):
            self.spans_dropped.labels(reason)

    def counter(self, name: str, text: str, labels: Iterable[str] = ()) -> Counter:
        """Make a counter; every label must take its values from a closed list."""
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: Iterable[str] = ()) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def on(self, kind: type[E], observer: Callable[[E], None]) -> None:
        """Have `observer` count the events of one kind."""
        self._observers[kind] = observer

    def emit(self, event: events.Event) -> None:
        """Count one event."""
        self._observers[type(event)](event)

    def expect_route(self, method: str, route: str, failures: Iterable[Mechanism] = ()) -> None:
        """Create the histogram of a route at 0: responses of 200, and of each failure."""
        self._server.labels(method, route, "200", "")
        for mechanism in failures:
            self._server.labels(method, route, STATUS_OF[mechanism], mechanism)

    def expect_call(
        self, link: str, method: str, route: str, failures: Iterable[Mechanism] = ()
    ) -> None:
        """Create the histogram of a call at 0: a response of 200, of each failure, and none at all."""
        self._client.labels(link, method, route, "200", "")
        for mechanism in failures:
            self._client.labels(link, method, route, STATUS_OF[mechanism], mechanism)
        for mechanism in NO_RESPONSE:
            self._client.labels(link, method, route, "", mechanism)

    def expect_link(self, link: str) -> None:
        """Create the counters of a link's patterns at 0, with its breaker closed."""
        self._probes.labels(link)
        for mechanism in (Mechanism.BREAKER_OPEN, Mechanism.BULKHEAD_FULL, Mechanism.DEADLINE):
            self._calls_rejected.labels(link, mechanism)
        for state in BreakerState:
            self._breaker.labels(link, state).set(state is BreakerState.CLOSED)
        for before, after in _BREAKER_CHANGES:
            self._transitions.labels(link, before, after)
        self.expect_retries(link, NO_RESPONSE[:3])

    def expect_retries(self, link: str, on: Iterable[Mechanism], *, budget: bool = False) -> None:
        """Create the counters of a link's retries at 0; `budget`: there is one, which can refuse a retry."""
        for mechanism in on:
            self._retries.labels(link, mechanism)
        if budget:
            self._calls_rejected.labels(link, Mechanism.RETRY_BUDGET_EXHAUSTED)

    def expect_statements(self, link: str, summaries: Iterable[str]) -> None:
        """Create the histograms of statements at 0, for success and for each failure."""
        for summary in summaries:
            for mechanism in ("", *OF_STATEMENTS):
                self._statements.labels(link, summary, mechanism)

    def expect_pool(
        self, link: str, size: int, idle: Callable[[], int], used: Callable[[], int]
    ) -> None:
        """Create the gauges of a pool, which is asked at each scrape."""
        self._pool_max.labels(link).set(size)
        self._connections.labels(link, "idle").set_function(idle)
        self._connections.labels(link, "used").set_function(used)

    def expect_rejections(self, *mechanisms: Mechanism) -> None:
        """Create the counters of rejected requests at 0."""
        for mechanism in mechanisms:
            self._rejected.labels(mechanism)

    def _request_finished(self, event: events.RequestFinished) -> None:
        child = self._server.labels(event.method, event.route, event.status, event.mechanism or "")
        # Without a span there is no exemplar: it would lead nowhere.
        child.observe(event.duration_s, {"trace_id": event.trace_id} if event.trace_id else None)

    def _attempt_finished(self, event: events.AttemptFinished) -> None:
        status = "" if event.status is None else event.status
        child = self._client.labels(
            event.link, event.method, event.route, status, event.mechanism or ""
        )
        child.observe(event.duration_s, {"trace_id": event.trace_id})

    def _breaker_changed(self, event: events.BreakerChanged) -> None:
        self._transitions.labels(event.link, event.before, event.after).inc()
        for state in BreakerState:
            self._breaker.labels(event.link, state).set(state is event.after)

    def _statement_finished(self, event: events.StatementFinished) -> None:
        child = self._statements.labels(event.link, event.summary, event.mechanism or "")
        child.observe(event.duration_s)


_BREAKER_CHANGES = (
    (BreakerState.CLOSED, BreakerState.OPEN),
    (BreakerState.OPEN, BreakerState.HALF_OPEN),
    (BreakerState.HALF_OPEN, BreakerState.OPEN),
    (BreakerState.HALF_OPEN, BreakerState.CLOSED),
)
