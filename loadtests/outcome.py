"""The outcome of a request, from its response or from the lack of one."""

from dataclasses import dataclass
from http import HTTPStatus

import msgspec

from aguante.load_protocol.records import RequestRecord
from loadtests.operations import Call
from loadtests.profiles import Intent


class _Problem(msgspec.Struct):
    """The members of problem+json that a record keeps; null is treated as absent."""

    origin: str | None = None
    link: str | None = None
    mechanism: str | None = None
    definite: bool | None = None
    settled: bool | None = None
    reservation_id: str | None = None


@dataclass(frozen=True)
class Outcome:
    """How one request ended. ``status`` 0: no response, and ``origin`` is ``client``."""

    status: int
    origin: str = ""
    link: str = ""
    mechanism: str = ""
    definite: bool = False
    settled: bool = False
    reservation_id: str = ""


def no_response(mechanism: str) -> Outcome:
    """The client got no complete response: ``client_timeout``, ``client_refused`` or ``client_disconnected``."""
    return Outcome(status=0, origin="client", mechanism=mechanism)


def from_response(status: int, body: bytes) -> Outcome:
    """Read a response. A failure without a problem+json body gets no origin, so that it counts as unattributed."""
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except msgspec.MsgspecError:
        return Outcome(status=status)
    reservation_id = problem.reservation_id or ""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Outcome(status=status, reservation_id=reservation_id)
    return Outcome(
        status=status,
        origin=problem.origin or "",
        link=problem.link or "",
        mechanism=problem.mechanism or "",
        definite=bool(problem.definite),
        settled=bool(problem.settled),
        reservation_id=reservation_id,
    )


def record(
    intent: Intent, call: Call, outcome: Outcome, *, started_s: float, ended_s: float
) -> RequestRecord:
    """The record of one request; latency counts from the *intended* start."""
    return RequestRecord(
        seq=intent.seq,
        operation=call.operation,
        intended_s=round(intent.at_s, 6),
        started_s=round(started_s, 6),
        latency_ms=round((ended_s - intent.at_s) * 1000, 3),
        status=outcome.status,
        origin=outcome.origin,
        link=outcome.link,
        mechanism=outcome.mechanism,
        definite=outcome.definite,
        settled=outcome.settled,
        trace_id=call.trace_id,
        idempotency_key=call.idempotency_key,
        reservation_id=outcome.reservation_id,
        event_id=call.event_id,
    )
