"""Charges, as pure decisions: standard library only, no clock, network or database."""

from dataclasses import dataclass
from enum import StrEnum

CARD_LIMIT_CENTS = 1_000_000
DECLINED_USER_PREFIX = "declined-"
"""The fake bank's rule: a request can ask for a declined card by its user id."""


class ChargeState(StrEnum):
    """The names are those of `charges.state`."""

    CAPTURED = "CAPTURED"
    DECLINED = "DECLINED"
    REFUNDED = "REFUNDED"
    VOIDED = "VOIDED"
    """A tombstone: the refund came first, so the payment that it belongs to must do nothing."""


@dataclass(frozen=True, slots=True)
class Charge:
    """The money of one reservation; a tombstone knows neither user nor amount."""

    reservation_id: str
    user_id: str | None
    amount_cents: int | None
    state: ChargeState


class Verdict(StrEnum):
    """The outcome of a request to pay."""

    CAPTURED = "captured"
    DECLINED = "declined"
    VOIDED = "voided"
    CONFLICT = "conflict"


def ask_bank(user_id: str, amount_cents: int) -> ChargeState:
    """Decide as the bank does: the same request always gets the same decision."""
    if user_id.startswith(DECLINED_USER_PREFIX) or amount_cents > CARD_LIMIT_CENTS:
        return ChargeState.DECLINED
    return ChargeState.CAPTURED


def judge_pay(stored: Charge, user_id: str, amount_cents: int) -> Verdict:
    """Decide what a request to pay gets, given the charge that is stored after it was handled.

    Idempotent by reservation: the same request again gets the same verdict; another user or
    amount is a CONFLICT; after a refund it is VOIDED, however late it arrives.
    """
    if stored.state in {ChargeState.REFUNDED, ChargeState.VOIDED}:
        return Verdict.VOIDED
    if (stored.user_id, stored.amount_cents) != (user_id, amount_cents):
        return Verdict.CONFLICT
    return Verdict.CAPTURED if stored.state is ChargeState.CAPTURED else Verdict.DECLINED


def after_refund(stored: ChargeState | None) -> ChargeState:
    """Return the state a refund leaves behind; None: there was no charge, so a tombstone.

    A declined charge stays DECLINED: no money was taken, and the bank would decline again.
    """
    if stored is None:
        return ChargeState.VOIDED
    return ChargeState.REFUNDED if stored is ChargeState.CAPTURED else stored
