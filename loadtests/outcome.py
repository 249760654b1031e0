"""What an answer, or its absence, says: pure."""

from dataclasses import dataclass
from http import HTTPStatus

import msgspec

from aguante.load_protocol.records import RequestRecord
from loadtests.operations import Call
from loadtests.profiles import Intent


class _Problem(msgspec.Struct):
    """The members of problem+json that a record keeps; null and absent are one."""

    origin: str | None = None
    link: str | None = None
    mechanism: str | None = None
    definite: bool | None = None
    settled: bool | None = None
    reservation_id: str | None = None


@dataclass(frozen=True)
class Outcome:
    """How one request ended. ``status`` 0: no answer; then ``origin`` is ``client``."""

    status: int
    origin: str = ""
    link: str = ""
    mechanism: str = ""
    definite: bool = False
    settled: bool = False
    reservation_id: str = ""


def no_answer(mechanism: str) -> Outcome:
    """The client saw no whole answer: ``client_timeout``, ``client_refused`` or ``client_disconnected``."""
    return Outcome(status=0, origin="client", mechanism=mechanism)


def answer(status: int, body: bytes) -> Outcome:
    """Read an answer. A failure whose body is no problem+json keeps its status and names no origin.

    That is on purpose: an answer that does not say where it came from counts as unattributed.
    """
    try:
        said = msgspec.json.decode(body, type=_Problem)
    except msgspec.MsgspecError:
        return Outcome(status=status)
    reservation_id = said.reservation_id or ""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Outcome(status=status, reservation_id=reservation_id)
    return Outcome(
        status=status,
        origin=said.origin or "",
        link=said.link or "",
        mechanism=said.mechanism or "",
        definite=bool(said.definite),
        settled=bool(said.settled),
        reservation_id=reservation_id,
    )


def record(
    intent: Intent, call: Call, outcome: Outcome, *, started_s: float, ended_s: float
) -> RequestRecord:
    """The row of one request; latency runs from the *intended* start."""
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
