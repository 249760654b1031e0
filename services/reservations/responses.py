"""What a request gets, given a saga: the saga itself when it is confirmed, else a Problem."""

from services.kit.failures.problem import Mechanism, Problem
from services.reservations.domain import KeyVerdict, Order, Saga, State, judge_key

KEY_RETRY_AFTER_S = 1


def respond(saga: Saga) -> Saga:
    """Return a confirmed saga; raise the Problem that any other one means for its client."""
    if saga.state is State.CONFIRMED:
        return saga
    if saga.failure is None:
        raise Problem(
            Mechanism.COMMIT_UNKNOWN,
            "another owner has taken this reservation over: ask for it by its id",
            definite=False,
            settled=False,
            reservation_id=saga.reservation_id,
        )
    raise Problem(
        Mechanism(saga.failure.mechanism),
        saga.failure.detail,
        status=saga.failure.status,
        origin=saga.failure.origin,
        link=saga.failure.link,
        definite=True,
        settled=saga.settled,
        reservation_id=saga.reservation_id,
        retry_after_s=saga.failure.retry_after_s,
    )


def replay(holder: Saga, order: Order) -> Saga:
    """Respond to a request whose idempotency key `holder` has: as the first time, or with the reason why not."""
    verdict = judge_key(holder, order)
    if verdict is KeyVerdict.REPLAY:
        return respond(holder)
    if verdict is KeyVerdict.REUSED:
        # Without the holder's id: this failure is definite, and the holder may well be confirmed.
        detail = "this Idempotency-Key belongs to a reservation with another body: use a new key"
        raise Problem(Mechanism.KEY_REUSED, detail)
    raise Problem(
        Mechanism.KEY_IN_PROGRESS,
        "a reservation with this Idempotency-Key is in progress: repeat the request later",
        definite=False,
        settled=False,
        reservation_id=holder.reservation_id,
        retry_after_s=KEY_RETRY_AFTER_S,
    )
