"""The failures that each route responds with; the service and its callers have metrics for them at 0 from the start."""

from collections.abc import Iterable, Mapping

from services.kit.failures.expected import NO_RESPONSE, OF_READS, OF_WRITES, Failures
from services.kit.failures.failed import callee_of
from services.kit.failures.problem import Mechanism
from services.kit.telemetry.metrics import Metrics

_OF_CALLS = (Mechanism.BREAKER_OPEN, *NO_RESPONSE)
_OF_FORWARDED_READS = (Mechanism.SEMAPHORE_FULL, *_OF_CALLS, *OF_READS[1:])
_OF_RESERVATIONS = (
    *(Mechanism.PAYMENT_DECLINED, Mechanism.SOLD_OUT),
    *(*_OF_CALLS, *OF_WRITES[1:]),
)

EXPECTED: Mapping[str, Failures] = {
    "gateway": {
        ("POST", "/reserve"): (Mechanism.SEMAPHORE_FULL, *_OF_RESERVATIONS),
        ("GET", "/reservations/{reservation_id}"): _OF_FORWARDED_READS,
        ("GET", "/events/{event_id}"): _OF_FORWARDED_READS,
    },
    "reservations": {
        ("POST", "/reserve"): _OF_RESERVATIONS,
        ("GET", "/reservations/{reservation_id}"): OF_READS,
    },
    "inventory": {
        ("POST", "/reserve"): (Mechanism.SOLD_OUT, Mechanism.VOIDED, *OF_WRITES),
        ("POST", "/release"): OF_WRITES,
        ("GET", "/events/{event_id}"): OF_READS,
    },
    "payments": {
        ("POST", "/pay"): (Mechanism.PAYMENT_DECLINED, Mechanism.VOIDED, *OF_WRITES),
        ("POST", "/refund"): OF_WRITES,
        ("GET", "/charges/{reservation_id}"): OF_READS,
    },
    "notifications": {},
}

Calls = Mapping[str, Iterable[tuple[str, str]]]
"""Link -> the routes of its callee that a service calls, as (method, route)."""


def expect_calls(metrics: Metrics, calls: Calls) -> None:
    """Create the metrics of these calls at 0, with every failure that the callee responds with."""
    for link, routes in calls.items():
        failures = EXPECTED[callee_of(link)]
        for method, route in routes:
            metrics.expect_call(link, method, route, failures.get((method, route), ()))
