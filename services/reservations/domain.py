"""The saga of one reservation, as pure decisions.

Standard library only: no clock, no network, no database. Everything here can be read as a table: what follows is a
function of the saga's state and of how the step that belongs to it ended.

    PENDING --ok--> RESERVED --ok--> CHARGED --ok--> CONFIRMED
       |  \\             |
       |   indefinite   any failure
       |      \\         |
    definite   +--> COMPENSATING --everything given back--> COMPENSATED
       |
    ABORTED
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

PRICE_CENTS_PER_SEAT = 2_500


class State(StrEnum):
    """Where a saga stands; the names are those of `sagas.state`."""

    PENDING = "PENDING"
    RESERVED = "RESERVED"
    CHARGED = "CHARGED"
    CONFIRMED = "CONFIRMED"
    COMPENSATING = "COMPENSATING"
    COMPENSATED = "COMPENSATED"
    ABORTED = "ABORTED"


TERMINAL = frozenset({State.CONFIRMED, State.COMPENSATED, State.ABORTED})
"""A saga in one of these states needs no more work."""


class Outcome(StrEnum):
    """How a step ended: it happened, it certainly did not, or that is unknown."""

    OK = "ok"
    DEFINITE = "definite"
    INDEFINITE = "indefinite"


class Undo(StrEnum):
    """What a compensation sends."""

    RELEASE_SEATS = "release_seats"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Order:
    """What the client asked for; two requests with one key must agree on all of it."""

    user_id: str
    event_id: str
    quantity: int

    @property
    def amount_cents(self) -> int:
        """The price of the whole order."""
        return self.quantity * PRICE_CENTS_PER_SEAT


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a saga failed, as the client reads it; `origin` is the service that decided."""

    status: int
    mechanism: str
    origin: str
    link: str | None = None
    detail: str = ""
    retry_after_s: float | None = None
    """How long the client should wait; for the first response only, it is not stored."""


class Trace(NamedTuple):
    """The request that began a saga, in hexadecimal digits: later work is linked to it."""

    trace_id: str = ""
    span_id: str = ""


NO_TRACE = Trace()


@dataclass(frozen=True, slots=True)
class Saga:
    """One reservation on its way; `version` counts its committed transitions, from 1."""

    reservation_id: str
    idempotency_key: str
    order: Order
    state: State = State.PENDING
    version: int = 1
    failure: Failure | None = None
    refund_due: bool = False
    settled: bool = False
    """It has failed, and nothing that it took is still held."""
    notification_sent: bool = False
    trace: Trace = NO_TRACE

    @property
    def owed(self) -> tuple[Undo, ...]:
        """What must be undone while it is COMPENSATING."""
        return _ALL if self.refund_due else _SEATS


@dataclass(frozen=True, slots=True)
class Notice:
    """The message to the user of a confirmed reservation."""

    reservation_id: str
    order: Order
    trace: Trace


@dataclass(frozen=True, slots=True)
class Decision:
    """The next state and why; what to undo once it is committed (never before); whether the saga is then settled."""

    to: State
    reason: str
    undo: tuple[Undo, ...] = ()
    settled: bool = False


_SEATS = (Undo.RELEASE_SEATS,)
_ALL = (Undo.RELEASE_SEATS, Undo.REFUND)

# A payment that certainly was not made needs no refund, and sending one would put the load back on payments that its
# open breaker has just taken off. Only the saga's owner may conclude this: it knows that it sent nothing. Recovery
# cannot know, and always refunds.
_ADVANCE = {
    (State.PENDING, Outcome.OK): Decision(State.RESERVED, "seats reserved"),
    (State.PENDING, Outcome.DEFINITE): Decision(State.ABORTED, "seats refused", settled=True),
    (State.PENDING, Outcome.INDEFINITE): Decision(State.COMPENSATING, "seats unknown", _SEATS),
    (State.RESERVED, Outcome.OK): Decision(State.CHARGED, "payment captured"),
    (State.RESERVED, Outcome.DEFINITE): Decision(State.COMPENSATING, "payment refused", _SEATS),
    (State.RESERVED, Outcome.INDEFINITE): Decision(State.COMPENSATING, "payment unknown", _ALL),
    (State.CHARGED, Outcome.OK): Decision(State.CONFIRMED, "confirmed"),
    (State.COMPENSATING, Outcome.OK): Decision(
        State.COMPENSATED, "everything given back", settled=True
    ),
}

# A paused owner may wake up after its lease has ended and still send the step that its state allows. So recovery
# undoes that step although no record says that it was taken: the tombstone stops it.
_RECOVER = {
    State.PENDING: Decision(State.COMPENSATING, "owner lost before seats", _SEATS),
    State.RESERVED: Decision(State.COMPENSATING, "owner lost before payment", _ALL),
    State.CHARGED: Decision(State.CONFIRMED, "owner lost after payment"),
}

UNNOTIFIED = Decision(State.COMPENSATING, "user not notified", _ALL)
"""Without degradation the notice is a step like any other, before CONFIRMED: its failure fails the saga."""

CHANGES = tuple(
    dict.fromkeys(
        [(before, decision.to) for (before, _), decision in _ADVANCE.items()]
        + [(before, decision.to) for before, decision in _RECOVER.items()]
    )
)
"""Every change of state that is possible while compensation is on, once each."""


class NoSuchTransitionError(ValueError):
    """A step ended in a way that its state does not allow: a defect, never the network."""


def advance(state: State, outcome: Outcome) -> Decision:
    """Decide what follows when the step that belongs to `state` ended with `outcome`.

    Raises NoSuchTransitionError for anything outside the table, e.g. a failure in CHARGED: a charged saga is never
    compensated, it stays CHARGED until CONFIRMED can be written.
    """
    try:
        return _ADVANCE[state, outcome]
    except KeyError:
        msg = f"a saga in {state} has no step that can end {outcome}"
        raise NoSuchTransitionError(msg) from None


def recover(state: State) -> Decision | None:
    """Decide what follows when a saga's owner is lost; None: it stays COMPENSATING, and is undone again."""
    if state in TERMINAL:
        msg = f"a saga in {state} needs no recovery"
        raise NoSuchTransitionError(msg)
    return _RECOVER.get(state)


def without_compensation(decision: Decision) -> Decision:
    """Return what is left of `decision` when compensation is off: the saga ends, and keeps what it took."""
    if decision.to is not State.COMPENSATING:
        return decision
    return Decision(State.ABORTED, f"{decision.reason}; compensation is off: nothing given back")


def apply(saga: Saga, decision: Decision, failure: Failure | None = None) -> Saga:
    """Return the saga as it is after `decision`; `failure` is kept once known."""
    return replace(
        saga,
        state=decision.to,
        version=saga.version + 1,
        failure=failure or saga.failure,
        refund_due=saga.refund_due or Undo.REFUND in decision.undo,
        settled=decision.settled,
    )


REPLAYED_FAILURES = frozenset({"sold_out", "payment_declined"})
"""Business refusals: the same key gets them again. Any other failure frees the key."""


class KeyVerdict(StrEnum):
    """What a request gets whose idempotency key is already held by a saga."""

    REPLAY = "replay"
    IN_PROGRESS = "in_progress"
    REUSED = "reused"


def judge_key(holder: Saga, order: Order) -> KeyVerdict:
    """Decide what a second request with the key of `holder` gets."""
    if holder.order != order:
        return KeyVerdict.REUSED
    if holder.state is State.CONFIRMED or holder.failure is not None:
        return KeyVerdict.REPLAY
    return KeyVerdict.IN_PROGRESS


def holds_key(saga: Saga) -> bool:
    """Whether a saga keeps its idempotency key: live, confirmed, or failed for business reasons."""
    if saga.state in {State.ABORTED, State.COMPENSATING, State.COMPENSATED}:
        return saga.failure is not None and saga.failure.mechanism in REPLAYED_FAILURES
    return True
