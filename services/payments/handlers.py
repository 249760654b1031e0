"""Payments' HTTP side: check the input, ask the bank, store the charge, respond."""

import msgspec
from aiohttp import web

from services.kit.failures.failed import failures_as_problems
from services.kit.failures.problem import Mechanism, Problem
from services.kit.http.server import checked, note_reservation, read_json, respond_json
from services.payments.domain import Charge, Verdict, ask_bank, judge_pay
from services.payments.repository import Charges
from services.shop.wire import PayBody, ReservationPath, UndoBody

CHARGES: web.AppKey[Charges] = web.AppKey("charges", Charges)


class ChargeResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """A charge as it is stored; a tombstone has neither user nor amount."""

    reservation_id: str
    state: str
    user_id: str | None = None
    amount_cents: int | None = None


async def pay(request: web.Request) -> web.StreamResponse:
    """`POST /pay`: 200, 402 declined, 409 voided, 422 another charge under this id."""
    body = await read_json(request, PayBody)
    note_reservation(body.reservation_id)
    answer = ask_bank(body.user_id, body.amount_cents)
    charge = Charge(body.reservation_id, body.user_id, body.amount_cents, answer)
    with failures_as_problems(body.reservation_id):
        stored = await request.app[CHARGES].store(charge)
    verdict = judge_pay(stored, body.user_id, body.amount_cents)
    if verdict is not Verdict.CAPTURED:
        mechanism, detail = _REFUSALS[verdict]
        raise Problem(mechanism, detail, reservation_id=body.reservation_id)
    return _charge_response(stored)


async def refund(request: web.Request) -> web.StreamResponse:
    """`POST /refund`: always 200, since nothing is captured afterwards whatever was there."""
    body = await read_json(request, UndoBody)
    note_reservation(body.reservation_id)
    with failures_as_problems(body.reservation_id):
        state = await request.app[CHARGES].refund(body.reservation_id)
    return respond_json(ChargeResponse(body.reservation_id, state))


async def read_charge(request: web.Request) -> web.StreamResponse:
    """`GET /charges/{reservation_id}`: 200 or 404."""
    reservation_id = checked(dict(request.match_info), ReservationPath).reservation_id
    with failures_as_problems(reservation_id):
        charge = await request.app[CHARGES].find(reservation_id)
    if charge is None:
        raise Problem(Mechanism.NOT_FOUND, f"There is no charge for {reservation_id}.")
    return _charge_response(charge)


_REFUSALS = {
    Verdict.DECLINED: (Mechanism.PAYMENT_DECLINED, "The bank declined; use another card."),
    Verdict.VOIDED: (Mechanism.VOIDED, "This payment was refunded; pay again under a new id."),
    Verdict.CONFLICT: (
        Mechanism.INVALID_INPUT,
        "This reservation has another charge already; use a new id.",
    ),
}


def _charge_response(charge: Charge) -> web.Response:
    return respond_json(
        ChargeResponse(charge.reservation_id, charge.state, charge.user_id, charge.amount_cents)
    )
