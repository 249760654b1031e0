"""How a choice becomes an HTTP request, with its own trace context and baggage: pure."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import msgspec

from aguante.records import LoadPlan
from loadtests.profiles import Choice, Intent


@dataclass(frozen=True)
class Call:
    """One HTTP request, ready to be sent."""

    operation: str
    method: str
    path: str
    route: str
    """The path as a template: the name in Locust's statistics."""
    trace_id: str
    """32 hex digits."""
    body: bytes = b""
    idempotency_key: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class _ReserveBody(msgspec.Struct):
    user_id: str
    event_id: str
    quantity: int


class CallFactory:
    """Makes calls from intents; trace ids and keys are unique to the run, yet the same for the same run."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        # the run id goes in too: two runs with one seed must not share trace ids in Jaeger
        self._ids = random.Random(f"ids:{plan.seed}:{plan.run_id}")  # noqa: S311 - not a secret

    def call(self, intent: Intent) -> Call:
        """The request of this intent. Call it once per intent, in order."""
        trace_id = f"{self._ids.getrandbits(128) or 1:032x}"
        headers = {
            "traceparent": f"00-{trace_id}-{self._ids.getrandbits(64) or 1:016x}-01",
            "baggage": self._baggage(intent.at_s),
        }
        key = f"{self._plan.run_id}-{intent.seq}"
        return OPERATIONS[intent.choice.operation](intent.choice, trace_id, key, headers)

    def _baggage(self, at_s: float) -> str:
        members = {
            "aguante.run_id": self._plan.run_id,
            "aguante.experiment": self._plan.experiment,
            "aguante.phase": phase_at(self._plan, at_s),
        }
        return ",".join(f"{name}={quote(value, safe='')}" for name, value in members.items())


def phase_at(plan: LoadPlan, at_s: float) -> str:
    """Name of the phase that holds ``at_s``, or empty between and after phases."""
    for name, start_s, end_s in plan.phases:
        if start_s <= at_s < end_s:
            return name
    return ""


def _reserve(choice: Choice, trace_id: str, key: str, headers: dict[str, str]) -> Call:
    body = _ReserveBody(choice.user_id, choice.event_id, choice.quantity)
    return Call(
        operation="reserve",
        method="POST",
        path="/reserve",
        route="/reserve",
        trace_id=trace_id,
        body=msgspec.json.encode(body),
        idempotency_key=key,
        headers=headers | {"Content-Type": "application/json", "Idempotency-Key": key},
    )


def _read_event(choice: Choice, trace_id: str, _key: str, headers: dict[str, str]) -> Call:
    return Call(
        operation="read_event",
        method="GET",
        path=f"/events/{quote(choice.event_id, safe='')}",
        route="/events/{id}",
        trace_id=trace_id,
        headers=headers,
    )


Make = Callable[[Choice, str, str, dict[str, str]], Call]
"""From a choice, a trace id, an idempotency key and the headers of its trace context to a call."""

OPERATIONS: dict[str, Make] = {
    "reserve": _reserve,
    "read_event": _read_event,
}


def only(operations: Mapping[str, Make]) -> None:
    """Offer these operations in place of the shop's own: for the locustfile of another system."""
    OPERATIONS.clear()
    OPERATIONS.update(operations)
