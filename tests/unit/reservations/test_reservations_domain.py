from itertools import product

import pytest

from services.reservations.domain import (
    REPLAYED_FAILURES,
    TERMINAL,
    Decision,
    Failure,
    KeyVerdict,
    NoSuchTransitionError,
    Order,
    Outcome,
    Saga,
    State,
    Undo,
    advance,
    apply,
    holds_key,
    judge_key,
    recover,
)

ORDER = Order("u", "e", 2)
DOWN = Failure(503, "disconnected", "reservations", "reservations-payments")
SOLD_OUT = Failure(409, "sold_out", "inventory")


def saga(state: State = State.PENDING, failure: Failure | None = None) -> Saga:
    return Saga("r", "k", ORDER, state=state, failure=failure)


def decide(state: State, outcome: Outcome) -> Decision | None:
    try:
        return advance(state, outcome)
    except NoSuchTransitionError:
        return None


def test_every_step_ok_confirms() -> None:
    """Four states in a row, and nothing to undo in any."""
    path = [advance(s, Outcome.OK) for s in (State.PENDING, State.RESERVED, State.CHARGED)]
    assert [d.to for d in path] == [State.RESERVED, State.CHARGED, State.CONFIRMED]
    assert [d.undo for d in path] == [(), (), ()]


def test_seats_refused_aborts_with_nothing_to_give_back() -> None:
    """A definite refusal took nothing, so the saga is settled at once."""
    decision = advance(State.PENDING, Outcome.DEFINITE)
    assert (decision.to, decision.undo, decision.settled) == (State.ABORTED, (), True)


@pytest.mark.parametrize(
    ("state", "outcome", "undo"),
    [
        (State.PENDING, Outcome.INDEFINITE, (Undo.RELEASE_SEATS,)),
        (State.RESERVED, Outcome.DEFINITE, (Undo.RELEASE_SEATS,)),
        (State.RESERVED, Outcome.INDEFINITE, (Undo.RELEASE_SEATS, Undo.REFUND)),
    ],
)
def test_failure_gives_back_all_that_may_have_been_taken(
    state: State, outcome: Outcome, undo: tuple[Undo, ...]
) -> None:
    """Seats whenever they may be held, money whenever it may be charged."""
    decision = advance(state, outcome)
    assert (decision.to, decision.undo) == (State.COMPENSATING, undo)


def test_charged_is_never_compensated() -> None:
    """From CHARGED the only way leads to CONFIRMED."""
    decisions = [decide(State.CHARGED, outcome) for outcome in Outcome]
    assert [d.to for d in decisions if d] == [State.CONFIRMED]


@pytest.mark.parametrize(("state", "outcome"), list(product(sorted(TERMINAL), Outcome)))
def test_terminal_states_never_change(state: State, outcome: Outcome) -> None:
    """What has ended stays as it ended."""
    with pytest.raises(NoSuchTransitionError):
        advance(state, outcome)


def test_failed_never_turns_confirmed() -> None:
    """From COMPENSATING nothing leads to CONFIRMED, by any number of steps."""
    reached, frontier = set(), {State.COMPENSATING}
    while frontier:
        state = frontier.pop()
        reached.add(state)
        next_states = {d.to for o in Outcome if (d := decide(state, o))}
        frontier |= next_states - reached
    assert reached == {State.COMPENSATING, State.COMPENSATED}


@pytest.mark.parametrize(
    ("state", "to", "refund"),
    [
        (State.PENDING, State.COMPENSATING, False),
        (State.RESERVED, State.COMPENSATING, True),
        (State.CHARGED, State.CONFIRMED, False),
    ],
)
def test_recovery_goes_back_until_charged_and_forward_from_there(
    state: State, to: State, *, refund: bool
) -> None:
    """A lost owner's saga is given back, unless it is charged."""
    decision = recover(state)
    assert decision is not None
    assert decision.to is to
    assert (Undo.REFUND in decision.undo) is refund


def test_recovery_of_compensating_gives_back_again() -> None:
    """No new decision: what was decided is carried out."""
    assert recover(State.COMPENSATING) is None


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_recovery_refuses_what_has_ended(state: State) -> None:
    """Recovering a terminal saga is a defect."""
    with pytest.raises(NoSuchTransitionError):
        recover(state)


def test_apply_counts_versions_and_keeps_the_refund_due() -> None:
    """Each decision is one version; a refund once due stays due, a failure once known stays."""
    failed = apply(saga(State.RESERVED), advance(State.RESERVED, Outcome.INDEFINITE), DOWN)
    done = apply(failed, advance(State.COMPENSATING, Outcome.OK))
    assert (failed.version, done.version) == (2, 3)
    assert (done.state, done.refund_due, done.failure) == (State.COMPENSATED, True, DOWN)


@pytest.mark.parametrize("state", [State.PENDING, State.RESERVED, State.CHARGED])
def test_key_of_a_live_saga_is_in_progress(state: State) -> None:
    """A second request waits for the first."""
    assert judge_key(saga(state), ORDER) is KeyVerdict.IN_PROGRESS


def test_key_with_another_body_is_reused() -> None:
    """A key means one order, whatever has become of it."""
    assert judge_key(saga(State.CONFIRMED), Order("u", "e", 3)) is KeyVerdict.REUSED


@pytest.mark.parametrize(
    "holder", [saga(State.CONFIRMED), saga(State.ABORTED, SOLD_OUT)], ids=["confirmed", "sold out"]
)
def test_key_of_an_answered_saga_is_replayed(holder: Saga) -> None:
    """The same question gets the same answer."""
    assert judge_key(holder, ORDER) is KeyVerdict.REPLAY


@pytest.mark.parametrize("state", list(State))
def test_a_technical_failure_frees_its_key(state: State) -> None:
    """After 503 or 504 the client may try again with the same key."""
    failed = state in {State.ABORTED, State.COMPENSATING, State.COMPENSATED}
    assert holds_key(saga(state, DOWN if failed else None)) is not failed


@pytest.mark.parametrize("mechanism", sorted(REPLAYED_FAILURES))
def test_a_business_failure_keeps_its_key(mechanism: str) -> None:
    """Sold out and declined are answers, not accidents."""
    assert holds_key(saga(State.COMPENSATED, Failure(402, mechanism, "payments")))


def test_price_is_25_a_seat() -> None:
    """Two seats cost 50.00."""
    assert ORDER.amount_cents == 5_000
