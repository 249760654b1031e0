import pytest

from services.payments.domain import (
    CARD_LIMIT_CENTS,
    Charge,
    ChargeState,
    Verdict,
    after_refund,
    ask_bank,
    judge_pay,
)


def charge(state: ChargeState, user_id: str | None = "u", amount: int | None = 2500) -> Charge:
    return Charge("r", user_id, amount, state)


@pytest.mark.parametrize(
    ("user_id", "amount_cents", "state"),
    [
        ("u", 2_500, ChargeState.CAPTURED),
        ("u", CARD_LIMIT_CENTS, ChargeState.CAPTURED),
        ("u", CARD_LIMIT_CENTS + 1, ChargeState.DECLINED),
        ("declined-u", 1, ChargeState.DECLINED),
        ("not-declined-", 1, ChargeState.CAPTURED),
    ],
)
def test_bank_decides_by_the_request_alone(
    user_id: str, amount_cents: int, state: ChargeState
) -> None:
    """The bank declines by user prefix and above the limit, and nothing else."""
    assert ask_bank(user_id, amount_cents) is state


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        (ChargeState.CAPTURED, Verdict.CAPTURED),
        (ChargeState.DECLINED, Verdict.DECLINED),
        (ChargeState.REFUNDED, Verdict.VOIDED),
    ],
)
def test_pay_answers_by_the_stored_charge(state: ChargeState, verdict: Verdict) -> None:
    """A repeated payment gets the first one's answer; after its refund it is voided."""
    assert judge_pay(charge(state), "u", 2500) is verdict


def test_pay_after_a_tombstone_is_voided() -> None:
    """A tombstone knows no user or amount, and stops any."""
    assert judge_pay(charge(ChargeState.VOIDED, None, None), "u", 2500) is Verdict.VOIDED


@pytest.mark.parametrize(("user_id", "amount"), [("u", 2501), ("other", 2500)])
def test_pay_of_something_else_under_the_same_id_is_a_conflict(user_id: str, amount: int) -> None:
    """One reservation id means one user and one amount."""
    assert judge_pay(charge(ChargeState.CAPTURED), user_id, amount) is Verdict.CONFLICT


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, ChargeState.VOIDED),
        (ChargeState.CAPTURED, ChargeState.REFUNDED),
        (ChargeState.DECLINED, ChargeState.DECLINED),
        (ChargeState.REFUNDED, ChargeState.REFUNDED),
        (ChargeState.VOIDED, ChargeState.VOIDED),
    ],
)
def test_refund_leaves_no_money_taken(before: ChargeState | None, after: ChargeState) -> None:
    """Whatever was there, after a refund nothing is captured."""
    assert after_refund(before) is after
