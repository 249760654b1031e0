import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from kit_fakes import LINK

from aguante.plan.plan import PlannedLoad
from services.kit.failures.problem import Mechanism
from services.kit.telemetry import events
from services.kit.telemetry import metrics as module
from services.kit.telemetry.events import (
    AttemptFinished,
    BreakerChanged,
    BreakerState,
    CallRejected,
    Event,
    ProbeAdmitted,
    RequestFinished,
    RequestRejected,
    RetryScheduled,
    StatementFinished,
)
from services.kit.telemetry.metrics import BUCKETS_S, STATEMENT_BUCKETS_S, Metrics
from services.reservations import saga_metrics
from services.reservations.domain import State, Undo
from services.reservations.saga_metrics import (
    CompensationAttempted,
    SagaTransitioned,
    add_saga_metrics,
)
from services.shop.policy import load_policy

TRACE = "ab" * 16
EVENTS: list[tuple[Event, str]] = [
    (
        RequestFinished("POST", "/reserve", 503, Mechanism.BREAKER_OPEN, 0.1, TRACE),
        'http_server_request_duration_seconds_count{error_type="breaker_open",'
        'http_request_method="POST",http_response_status_code="503",http_route="/reserve"}',
    ),
    (
        AttemptFinished(LINK, "POST", "/pay", 1, None, Mechanism.TIMEOUT, 3.0, TRACE),
        'http_client_request_duration_seconds_count{error_type="timeout",'
        'http_request_method="POST",http_response_status_code="",http_route="/pay",'
        f'link="{LINK}"}}',
    ),
    (
        RequestRejected(Mechanism.SEMAPHORE_FULL),
        'aguante_requests_rejected_total{error_type="semaphore_full"}',
    ),
    (
        CallRejected(LINK, Mechanism.BREAKER_OPEN),
        f'aguante_calls_rejected_total{{error_type="breaker_open",link="{LINK}"}}',
    ),
    (
        BreakerChanged(LINK, BreakerState.CLOSED, BreakerState.OPEN),
        f'aguante_breaker_transitions_total{{from_state="closed",link="{LINK}",to_state="open"}}',
    ),
    (ProbeAdmitted(LINK), f'aguante_breaker_probes_total{{link="{LINK}"}}'),
    (
        RetryScheduled(LINK, 1, 0.05, Mechanism.CONNECT_REFUSED),
        f'aguante_retries_total{{error_type="connect_refused",link="{LINK}"}}',
    ),
    (
        StatementFinished("payments-db", "insert charge", None, 0.002),
        'db_client_operation_duration_seconds_count{db_query_summary="insert charge",'
        'error_type="",link="payments-db"}',
    ),
    (
        SagaTransitioned(State.PENDING, State.RESERVED),
        'aguante_saga_transitions_total{from_state="PENDING",to_state="RESERVED"}',
    ),
    (
        CompensationAttempted(Undo.REFUND, None),
        'aguante_compensations_total{error_type="",step="refund"}',
    ),
]


def with_sagas() -> Metrics:
    """Return the metrics of reservations, the one service that adds its own."""
    metrics = Metrics()
    add_saga_metrics(metrics)
    return metrics


def exposed(metrics: Metrics, accept: str = "") -> str:
    return metrics.render(accept)[0].decode()


@pytest.mark.parametrize(("event", "sample"), EVENTS, ids=lambda value: type(value).__name__)
def test_each_event_counts_once(event: Event, sample: str) -> None:
    """Every kind of event becomes one sample with the labels that the dashboards query."""
    metrics = with_sagas()
    metrics.emit(event)
    assert f"{sample} 1.0" in exposed(metrics)


def test_every_kind_of_event_has_an_observer() -> None:
    """A new event that no metric shows is a mistake."""
    kinds = {
        kind
        for module_ in (events, saga_metrics)
        for kind in vars(module_).values()
        if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
    }
    assert {type(event) for event, _ in EVENTS} == kinds


POLICY = load_policy(Path(__file__).parents[3] / "policies" / "default.yaml")


def limits_in(section: object, path: str = "") -> Iterator[tuple[str, float]]:
    """(where, seconds) of everything in a policy that ends a wait."""
    if not isinstance(section, msgspec.Struct):
        return
    for name in section.__struct_fields__:
        value = getattr(section, name)
        if isinstance(value, float) and name in (
            "timeout_s",
            "total_s",
            "acquire_s",
            "statement_s",
        ):
            yield f"{path}{name}", value
        yield from limits_in(value, f"{path}{name}.")


def test_every_timeout_of_the_policy_is_a_bucket_edge() -> None:
    """So that the share of requests that ran into one can be read off; the client's own is one too."""
    limits = dict(limits_in(POLICY))
    assert {"deadline.total_s", "compensation.timeout_s", "database.statement_s"} < limits.keys()
    assert sum(where.startswith("links.") for where in limits) == 5
    client_s = PlannedLoad.model_fields["timeout_s"].default
    assert {*limits.values(), client_s} - set(BUCKETS_S) == set()


def test_a_statements_limit_is_an_edge_of_statements() -> None:
    """They have buckets of their own, finer and shorter."""
    assert POLICY.database.statement_s in STATEMENT_BUCKETS_S
    assert max(STATEMENT_BUCKETS_S) > POLICY.database.statement_s


def test_children_stand_at_zero_from_the_start() -> None:
    """A rate over a counter that appears only with its first event would miss that event."""
    metrics = with_sagas()
    metrics.expect_route("POST", "/reserve")
    metrics.expect_link(LINK)
    metrics.expect_call(LINK, "POST", "/pay")
    metrics.expect_rejections(Mechanism.SEMAPHORE_FULL)
    text = exposed(metrics)
    assert f'aguante_retries_total{{error_type="connect_refused",link="{LINK}"}} 0.0' in text
    assert 'aguante_saga_transitions_total{from_state="PENDING",to_state="RESERVED"} 0.0' in text
    assert 'aguante_compensations_total{error_type="",step="refund"} 0.0' in text
    assert 'aguante_requests_rejected_total{error_type="semaphore_full"} 0.0' in text
    assert f'aguante_calls_rejected_total{{error_type="breaker_open",link="{LINK}"}} 0.0' in text
    assert f'aguante_breaker_state{{link="{LINK}",state="closed"}} 1.0' in text
    assert f'aguante_breaker_state{{link="{LINK}",state="open"}} 0.0' in text
    assert f'from_state="half_open",link="{LINK}",to_state="closed"}} 0.0' in text
    assert 'http_response_status_code="200",http_route="/reserve"} 0.0' in text
    assert f'http_route="/pay",link="{LINK}"}} 0.0' in text


SILENT = ("connect_refused", "disconnected", "connection_reset", "timeout", "deadline")
FAILING = (
    'http_server_request_duration_seconds_count{error_type="breaker_open",http_request_method="POST",'
    'http_response_status_code="503",http_route="/reserve"}',
    'http_client_request_duration_seconds_count{error_type="payment_declined",http_request_method='
    f'"POST",http_response_status_code="402",http_route="/pay",link="{LINK}"}}',
    *(
        f'http_client_request_duration_seconds_count{{error_type="{each}",http_request_method="POST",'
        f'http_response_status_code="",http_route="/pay",link="{LINK}"}}'
        for each in SILENT
    ),
    'aguante_compensations_total{error_type="timeout",step="refund"}',
    f'aguante_retries_total{{error_type="connection_reset",link="{LINK}"}}',
    'aguante_retries_total{error_type="commit_unknown",link="payments-db"}',
    'aguante_calls_rejected_total{error_type="retry_budget_exhausted",link="payments-db"}',
    'db_client_operation_duration_seconds_count{db_query_summary="INSERT charge",'
    'error_type="timeout",link="payments-db"}',
)


@pytest.mark.parametrize("series", FAILING)
def test_what_can_fail_stands_at_zero_before_it_fails(series: str) -> None:
    """Answers, attempts without one, compensations, repetitions, refusals and statements."""
    metrics = with_sagas()
    metrics.expect_route("POST", "/reserve", [Mechanism.BREAKER_OPEN])
    metrics.expect_call(LINK, "POST", "/pay", [Mechanism.PAYMENT_DECLINED])
    metrics.expect_link(LINK)
    metrics.expect_retries("payments-db", [Mechanism.COMMIT_UNKNOWN], budget=True)
    metrics.expect_statements("payments-db", ["INSERT charge"])
    assert f"{series} 0.0" in exposed(metrics)


def test_breaker_state_is_one_for_one_state() -> None:
    """After a change exactly the new state is 1."""
    metrics = Metrics()
    metrics.emit(BreakerChanged(LINK, BreakerState.OPEN, BreakerState.HALF_OPEN))
    states = re.findall(r'aguante_breaker_state\{.*state="(\w+)"\} 1.0', exposed(metrics))
    assert states == ["half_open"]


def test_openmetrics_carries_the_trace_and_plain_text_does_not() -> None:
    """Exemplars are for who asks for OpenMetrics."""
    metrics = Metrics()
    metrics.emit(EVENTS[0][0])
    body, content_type = metrics.render("application/openmetrics-text; version=1.0.0")
    assert f'# {{trace_id="{TRACE}"}} 0.1' in body.decode()
    assert content_type.startswith("application/openmetrics-text")
    assert TRACE not in exposed(metrics)


def test_what_has_no_span_has_no_exemplar() -> None:
    """A connection that was refused, bytes that are no HTTP: a trace id made up would lead nowhere."""
    metrics = Metrics()
    metrics.emit(RequestFinished("_OTHER", "", 429, Mechanism.SEMAPHORE_FULL, 0.0, ""))
    body, _ = metrics.render("application/openmetrics-text")
    assert b'http_response_status_code="429"' in body
    assert b"trace_id" not in body


def test_every_metric_is_in_the_modules_documentation() -> None:
    """The docstring is where names and labels are looked up, so none may be missing from it."""
    families = {
        sample.name
        for family in with_sagas().registry.collect()
        for sample in family.samples
        if not sample.name.endswith(("_created", "_bucket", "_sum", "_count"))
    }
    named = {family.name for family in with_sagas().registry.collect()}
    text = f"{module.__doc__}{saga_metrics.__doc__}"
    documented = set(re.findall(r"`(\w+?)(?:_total)?`", text))
    assert named <= documented
    assert families  # the registry was not empty
