"""Turns a choice into an HTTP request with its trace context and baggage."""

import contextlib
import hashlib
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote

import msgspec

from aguante.load_protocol.records import LoadPlan
from loadtests.profiles import Choice, Intent


@dataclass(frozen=True)
class Call:
    """One HTTP request, ready to send."""

    operation: str
    method: str
    path: str
    route: str
    """The path as a template, which is the name in Locust's statistics."""
    trace_id: str
    """32 hex digits."""
    body: bytes = b""
    idempotency_key: str = ""
    event_id: str = ""
    """The requested event, or empty."""
    headers: Mapping[str, str] = field(default_factory=dict)


class _ReserveBody(msgspec.Struct):
    user_id: str
    event_id: str
    quantity: int


READ_BACK, READ_EVENT, SOLD_OUT, DECLINED, BAD = (
    "read_reservation",
    "read_event",
    "reserve_sold_out",
    "reserve_declined",
    "reserve_bad",
)
REMEMBERED = 1000
"""How many of the latest confirmed reservations may be read back."""
DECLINED_USER_PREFIX = "declined-"
"""Users whose card payments declines; a contract test compares it with payments."""


class CallFactory:
    """Makes calls from intents, with trace ids and idempotency keys unique to the run and reproducible.

    They depend on the arrival's number, so that workers that share a schedule never make the same ones.
    """

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._confirmed: deque[str] = deque(maxlen=REMEMBERED)

    def call(self, intent: Intent) -> Call:
        """The request for this intent."""
        trace_id, span_id = self._ids(intent.seq)
        headers = {
            "traceparent": f"00-{trace_id}-{span_id}-01",
            "baggage": self._baggage(intent.at_s),
        }
        choice = self._completed(intent.choice, intent.seq)
        key = f"{self._plan.run_id}-{intent.seq}"
        call = OPERATIONS[choice.operation](choice, trace_id, key, headers)
        return replace(call, event_id="" if call.operation == READ_BACK else choice.event_id)

    def confirmed(self, reservation_id: str) -> None:
        """Remember a confirmed reservation, which can be read back."""
        self._confirmed.append(reservation_id)

    def _ids(self, seq: int) -> tuple[str, str]:
        # includes the run id: two runs with one seed must not share trace ids in Jaeger
        seed = f"ids:{self._plan.seed}:{self._plan.run_id}:{seq}"
        digest = hashlib.blake2b(seed.encode(), digest_size=24).hexdigest()
        return digest[:32], digest[32:]

    def _completed(self, choice: Choice, seq: int) -> Choice:
        """Complete the choice for its operation; without a reservation to read back, read an event."""
        if choice.operation == SOLD_OUT:
            return replace(choice, event_id=self._plan.sold_out_id)
        if choice.operation == DECLINED:
            return replace(choice, user_id=DECLINED_USER_PREFIX + choice.user_id)
        if choice.operation != READ_BACK:
            return choice
        if not self._confirmed:
            return replace(choice, operation=READ_EVENT)
        return replace(choice, reservation_id=self._confirmed[seq % len(self._confirmed)])

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
        operation=choice.operation,
        method="POST",
        path="/reserve",
        route="/reserve",
        trace_id=trace_id,
        body=msgspec.json.encode(body),
        idempotency_key=key,
        headers=headers | {"Content-Type": JSON, "Idempotency-Key": key},
    )


JSON = "application/json"
BAD_INPUTS: tuple[tuple[str, bytes], ...] = (
    (JSON, b'{"user_id": "user-1", "event_id": '),
    (JSON, b'{"user_id": "user-1", "event_id": "event-1", "quantity": 0}'),
    (JSON, b'{"user_id": "user-1", "event_id": "event-1", "quantity": "two"}'),
    (JSON, b'{"event_id": "event-1", "quantity": 1}'),
    (JSON, b"[]"),
    ("text/plain", b"two seats, please"),
)
"""Content type and body of invalid requests; each must be answered with a 4xx."""


def _reserve_bad(choice: Choice, trace_id: str, key: str, headers: dict[str, str]) -> Call:
    kind, body = BAD_INPUTS[int(trace_id, 16) % len(BAD_INPUTS)]
    valid = _reserve(choice, trace_id, key, headers)
    return replace(valid, body=body, headers={**valid.headers, "Content-Type": kind})


def _read_event(choice: Choice, trace_id: str, _key: str, headers: dict[str, str]) -> Call:
    return Call(
        operation=READ_EVENT,
        method="GET",
        path=f"/events/{quote(choice.event_id, safe='')}",
        route="/events/{id}",
        trace_id=trace_id,
        headers=headers,
    )


def _read_reservation(choice: Choice, trace_id: str, _key: str, headers: dict[str, str]) -> Call:
    return Call(
        operation=READ_BACK,
        method="GET",
        path=f"/reservations/{quote(choice.reservation_id, safe='')}",
        route="/reservations/{id}",
        trace_id=trace_id,
        headers=headers,
    )


Make = Callable[[Choice, str, str, dict[str, str]], Call]
"""Makes a call from a choice, a trace id, an idempotency key and the headers of its trace context."""

OPERATIONS: dict[str, Make] = {
    "reserve": _reserve,
    "read_event": _read_event,
    READ_BACK: _read_reservation,
    SOLD_OUT: _reserve,
    DECLINED: _reserve,
    BAD: _reserve_bad,
}

CONTRACT = frozenset({200, 402, 409, 429, 503, 504})
"""The statuses of the gateway's contract (docs/load.md), except 502, which is a broken response of a downstream."""
READS = frozenset({200, 429, 503, 504})
EXPECTED: Mapping[str, frozenset[int]] = {
    READ_EVENT: READS,
    READ_BACK: READS,
    SOLD_OUT: CONTRACT - {200, 402},
    DECLINED: CONTRACT - {200},
    BAD: frozenset(range(400, 500)),
}
"""Operation -> statuses that are no failure in Locust's statistics; ``CONTRACT`` for any other operation."""


def is_expected(operation: str, status: int) -> bool:
    """Whether the operation may get this status; thresholds judge the share of each status."""
    return status in EXPECTED.get(operation, CONTRACT)


def expected(operation: str) -> str:
    """The expected statuses as text."""
    return (
        "4xx"
        if operation == BAD
        else ", ".join(map(str, sorted(EXPECTED.get(operation, CONTRACT))))
    )


def only(operations: Mapping[str, Make]) -> None:
    """Replace the shop's operations with these, for the locustfile of another system."""
    OPERATIONS.clear()
    OPERATIONS.update(operations)


def mix_of(text: str) -> dict[str, float]:
    """Parse ``reserve=0.75,read_event=0.25``; an unreadable share becomes NaN, which the plan's check reports."""
    shares = {}
    for part in filter(None, text.split(",")):
        word, _, share = part.partition("=")
        name = word.strip()
        if name in shares:
            name += ", twice"  # no operation has this name, so that the check reports it
        shares[name] = math.nan
        with contextlib.suppress(ValueError):
            shares[name] = float(share)
    return shares
