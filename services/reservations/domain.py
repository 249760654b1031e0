"""The saga of one reservation, as pure decisions.

Standard library only: no clock, no network, no database. Everything here can be read as a table:
what a saga does next is a function of its state and of how the last step ended, and nothing else.

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

PRICE_CENTS_PER_SEAT = 2_500
QUANTITY_MAX = 100


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
"""A saga in one of these needs no more work."""


class Outcome(StrEnum):
    """How a step ended: it happened, it surely did not, or nobody here can know."""

    OK = "ok"
    DEFINITE = "definite"
    INDEFINITE = "indefinite"


class Command(StrEnum):
    """What to send next, in the order listed."""

    RESERVE_SEATS = "reserve_seats"
    TAKE_PAYMENT = "take_payment"
    CONFIRM = "confirm"
    NOTIFY = "notify"
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
    """Why a saga failed, as the client was or will be told; `origin` is who decided."""

    status: int
    mechanism: str
    origin: str
    link: str | None = None
    detail: str = ""
    retry_after_s: float | None = None
    """What the client is asked to wait; for its first answer only, it is not stored."""


@dataclass(frozen=True, slots=True)
class Trace:
    """The request that began a saga, in hexadecimal digits: what later work is linked to."""

    trace_id: str = ""
    span_id: str = ""


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
    notification_sent: bool = False
    trace: Trace = Trace()


@dataclass(frozen=True, slots=True)
class Decision:
    """The next state, and what to send once it is committed (never before)."""

    to: State
    commands: tuple[Command, ...] = ()
    reason: str = ""


_GIVE_BACK_SEATS = (Command.RELEASE_SEATS,)
_GIVE_BACK_ALL = (Command.RELEASE_SEATS, Command.REFUND)

# A payment that surely did not happen needs no refund, and sending one all the same would put the load
# back on payments that its open breaker has just taken off. Only the saga's owner may conclude this: it
# alone knows that it sent nothing. Recovery cannot know, and always refunds.
_ADVANCE = {
    (State.PENDING, Outcome.OK): Decision(
        State.RESERVED, (Command.TAKE_PAYMENT,), "seats reserved"
    ),
    (State.PENDING, Outcome.DEFINITE): Decision(State.ABORTED, (), "seats refused"),
    (State.PENDING, Outcome.INDEFINITE): Decision(
        State.COMPENSATING, _GIVE_BACK_SEATS, "seats unknown"
    ),
    (State.RESERVED, Outcome.OK): Decision(State.CHARGED, (Command.CONFIRM,), "payment captured"),
    (State.RESERVED, Outcome.DEFINITE): Decision(
        State.COMPENSATING, _GIVE_BACK_SEATS, "payment refused"
    ),
    (State.RESERVED, Outcome.INDEFINITE): Decision(
        State.COMPENSATING, _GIVE_BACK_ALL, "payment unknown"
    ),
    (State.CHARGED, Outcome.OK): Decision(State.CONFIRMED, (Command.NOTIFY,), "confirmed"),
    (State.COMPENSATING, Outcome.OK): Decision(State.COMPENSATED, (), "everything given back"),
}

# A paused owner may wake up after its lease is gone and still send the step that its state allows, so
# recovery gives back that step even if nothing says that it was taken: the tombstone stops it.
_RECOVER = {
    State.PENDING: Decision(State.COMPENSATING, _GIVE_BACK_SEATS, "owner lost before seats"),
    State.RESERVED: Decision(State.COMPENSATING, _GIVE_BACK_ALL, "owner lost before payment"),
    State.CHARGED: Decision(State.CONFIRMED, (Command.NOTIFY,), "owner lost after payment"),
}


UNNOTIFIED = Decision(State.COMPENSATING, _GIVE_BACK_ALL, "user not notified")
"""Without degradation the notice is a step like any other, before CONFIRMED: its failure fails the saga."""


def without_compensation(decision: Decision) -> Decision:
    """Return what is left of `decision` when compensation is off: the saga ends, and keeps what it took."""
    if decision.to is not State.COMPENSATING:
        return decision
    return Decision(
        State.ABORTED, (), f"{decision.reason}; compensation is off: nothing given back"
    )


def is_settled(saga: Saga) -> bool:
    """Whether a failed saga has nothing left to give back.

    A definite refusal of the seats is a saga's second version. One that is ABORTED later than that had its
    seats already, and without compensation keeps them.
    """
    return saga.state is State.COMPENSATED or (saga.state is State.ABORTED and saga.version == 2)


CHANGES = tuple(
    dict.fromkeys(
        [(before, decision.to) for (before, _), decision in _ADVANCE.items()]
        + [(before, decision.to) for before, decision in _RECOVER.items()]
    )
)
"""Every change of state that there is while compensation is on, once each."""


class NoSuchTransitionError(ValueError):
    """A step ended in a way that its state does not allow: a defect, never the network."""


def advance(state: State, outcome: Outcome) -> Decision:
    """Decide what follows when the step that belongs to `state` ended with `outcome`.

    Raises NoSuchTransitionError for anything outside the table, e.g. a failed CONFIRM: a charged saga
    is never compensated, it stays CHARGED until somebody can write CONFIRMED.
    """
    try:
        return _ADVANCE[state, outcome]
    except KeyError:
        msg = f"a saga in {state} has no step that can end {outcome}"
        raise NoSuchTransitionError(msg) from None


def recover(state: State) -> Decision | None:
    """Decide what follows when a saga's owner is gone; None: stay, and give back again."""
    if state in TERMINAL:
        msg = f"a saga in {state} needs no recovery"
        raise NoSuchTransitionError(msg)
    return _RECOVER.get(state)


def apply(saga: Saga, decision: Decision, failure: Failure | None = None) -> Saga:
    """Return the saga as it stands after `decision`; `failure` is kept once known."""
    return replace(
        saga,
        state=decision.to,
        version=saga.version + 1,
        failure=failure or saga.failure,
        refund_due=saga.refund_due or Command.REFUND in decision.commands,
    )


REPLAYED_FAILURES = frozenset({"sold_out", "payment_declined"})
"""Business answers: the same key gets them again. Any other failure frees the key."""


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
