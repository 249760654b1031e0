"""Payments' HTTP side: check the input, ask the bank and the repository, say what came of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from services.kit.failures.failed import DatabaseFailed, problem_from
from services.kit.failures.problem import Mechanism, Problem
from services.kit.http.server import answer_json, checked, note_reservation, read_json
from services.payments.domain import AMOUNT_CENTS_MAX, Charge, Verdict, ask_bank, judge_pay
from services.payments.repository import Charges

CHARGES: web.AppKey[Charges] = web.AppKey("charges", Charges)

Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:~-]+\Z")]


class PayBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /pay`."""

    reservation_id: Id
    user_id: Id
    amount_cents: Annotated[int, Meta(ge=1, le=AMOUNT_CENTS_MAX)]


class RefundBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /refund`."""

    reservation_id: Id


class ChargePath(msgspec.Struct, frozen=True):
    """The variable part of `/charges/{reservation_id}`."""

    reservation_id: Id


class ChargeAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A charge as it is stored; a tombstone has neither user nor amount."""

    reservation_id: str
    state: str
    user_id: str | None = None
    amount_cents: int | None = None


async def pay(request: web.Request) -> web.StreamResponse:
    """Charge: 200, 402 declined, 409 voided, 422 another charge under this id."""
    body = await read_json(request, PayBody)
    note_reservation(body.reservation_id)
    answer = ask_bank(body.user_id, body.amount_cents)
    charge = Charge(body.reservation_id, body.user_id, body.amount_cents, answer)
    with _failures_told(body.reservation_id):
        stored = await request.app[CHARGES].store(charge)
    verdict = judge_pay(stored, body.user_id, body.amount_cents)
    if verdict is not Verdict.CAPTURED:
        mechanism, detail = _REFUSALS[verdict]
        raise Problem(mechanism, detail, reservation_id=body.reservation_id)
    return _charge_answer(stored)


async def refund(request: web.Request) -> web.StreamResponse:
    """Refund: always 200, since nothing is captured afterwards whatever was there."""
    body = await read_json(request, RefundBody)
    note_reservation(body.reservation_id)
    with _failures_told(body.reservation_id):
        state = await request.app[CHARGES].refund(body.reservation_id)
    return answer_json(ChargeAnswer(body.reservation_id, state))


async def read_charge(request: web.Request) -> web.StreamResponse:
    """Tell a reservation's charge: 200 or 404."""
    reservation_id = checked(dict(request.match_info), ChargePath).reservation_id
    with _failures_told(reservation_id):
        charge = await request.app[CHARGES].find(reservation_id)
    if charge is None:
        raise Problem(Mechanism.NOT_FOUND, f"No payment was asked for {reservation_id}.")
    return _charge_answer(charge)


_REFUSALS = {
    Verdict.DECLINED: (Mechanism.PAYMENT_DECLINED, "The bank declined; use another card."),
    Verdict.VOIDED: (Mechanism.VOIDED, "This payment was refunded; pay again under a new id."),
    Verdict.CONFLICT: (
        Mechanism.INVALID_INPUT,
        "This reservation has another charge already; use a new id.",
    ),
}


def _charge_answer(charge: Charge) -> web.Response:
    return answer_json(
        ChargeAnswer(charge.reservation_id, charge.state, charge.user_id, charge.amount_cents)
    )


@contextmanager
def _failures_told(reservation_id: str) -> Iterator[None]:
    """Turn a database that failed into the Problem it means for the caller."""
    try:
        yield
    except DatabaseFailed as failed:
        raise problem_from(failed, reservation_id=reservation_id) from failed
