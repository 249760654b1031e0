import asyncio

import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from apps import Start

from services.payments.app import create_app
from services.payments.domain import ChargeState, after_refund
from services.shop.policy import Policy

Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def payments(start: Start, policy: Policy, database: str) -> Client:
    return await start(create_app, policy, database)


async def ask(client: Client, path: str, **body: object) -> tuple[int, dict[str, object]]:
    async with client.post(path, json=body) as response:
        return response.status, await response.json()


async def pay(
    client: Client, reservation_id: str = "r", user_id: str = "u", amount_cents: int = 2500
) -> tuple[int, dict[str, object]]:
    return await ask(
        client, "/pay", reservation_id=reservation_id, user_id=user_id, amount_cents=amount_cents
    )


async def refund(client: Client, reservation_id: str = "r") -> tuple[int, dict[str, object]]:
    return await ask(client, "/refund", reservation_id=reservation_id)


async def state(client: Client, reservation_id: str = "r") -> object:
    async with client.get(f"/charges/{reservation_id}") as response:
        return (await response.json()).get("state", response.status)


async def test_pay_captures_once(payments: Client) -> None:
    """The same payment again gets the same answer."""
    answers = [await pay(payments) for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0] == (
        200,
        {"reservation_id": "r", "state": "CAPTURED", "user_id": "u", "amount_cents": 2500},
    )


@pytest.mark.parametrize(("user_id", "amount_cents"), [("declined-u", 1), ("u", 1_000_001)])
async def test_declined_is_402_each_time(payments: Client, user_id: str, amount_cents: int) -> None:
    """A declined payment is a definite business answer, and stays declined."""
    for _ in range(2):
        status, problem = await pay(payments, "r", user_id, amount_cents)
        assert (status, problem["mechanism"]) == (402, "payment_declined")
        assert (problem["origin"], problem["definite"]) == ("payments", True)
    assert await state(payments) == "DECLINED"


@pytest.mark.parametrize(("user_id", "amount_cents"), [("other", 2500), ("u", 2501)])
async def test_another_charge_under_one_id_is_422(
    payments: Client, user_id: str, amount_cents: int
) -> None:
    """A reservation id cannot be used for another charge."""
    await pay(payments)
    assert (await pay(payments, "r", user_id, amount_cents))[0] == 422


async def test_pay_after_its_refund_is_voided(payments: Client) -> None:
    """A duplicate of a payment that arrives after the refund charges nothing."""
    await pay(payments)
    assert (await refund(payments))[0] == 200
    status, problem = await pay(payments)
    assert (status, problem["mechanism"]) == (409, "voided")
    assert await state(payments) == "REFUNDED"


async def test_refund_of_an_unknown_id_leaves_a_tombstone(payments: Client) -> None:
    """A payment that its own refund has overtaken gets 409 voided, and charges nothing."""
    await refund(payments)
    status, problem = await pay(payments)
    assert (status, problem["mechanism"]) == (409, "voided")
    assert await state(payments) == "VOIDED"


@pytest.mark.parametrize("before", [None, *ChargeState])
async def test_refund_in_sql_is_refund_in_the_domain(
    payments: Client, database: str, before: ChargeState | None
) -> None:
    """The CASE of the upsert and domain.after_refund say the same, for every state."""
    connection = await asyncpg.connect(database)
    if before is not None:
        await connection.execute(
            "INSERT INTO charges (reservation_id, state) VALUES ('r', $1)", before
        )
    for _ in range(2):
        await refund(payments)
    assert await connection.fetchval("SELECT state FROM charges") == after_refund(before)
    await connection.close()


async def test_concurrent_attempts_charge_once(payments: Client) -> None:
    """Ten attempts at once for one reservation all read the one charge."""
    answers = await asyncio.gather(*(pay(payments) for _ in range(10)))
    assert {status for status, _ in answers} == {200}


async def test_pay_and_refund_race_to_nothing_captured(payments: Client) -> None:
    """Whichever comes first, in the end no money is taken."""
    calls = [pay(payments, f"r{n}") for n in range(10)]
    calls += [refund(payments, f"r{n}") for n in range(10)]
    await asyncio.gather(*calls)
    states = {await state(payments, f"r{n}") for n in range(10)}
    assert states <= {"REFUNDED", "VOIDED"}


async def test_unknown_charge_is_404(payments: Client) -> None:
    """There is no charge under that id."""
    assert await state(payments, "nobody") == 404


@pytest.mark.parametrize(
    "body",
    [
        {"reservation_id": "r", "user_id": "u", "amount_cents": 0},
        {"reservation_id": "r", "user_id": "u", "amount_cents": 1.5},
        {"reservation_id": "r", "user_id": "u", "amount_cents": 1_000_000_001},
        {"reservation_id": "", "user_id": "u", "amount_cents": 1},
        {"user_id": "u", "amount_cents": 1},
    ],
)
async def test_bad_fields_are_422(payments: Client, body: dict[str, object]) -> None:
    """Input that makes no sense never reaches the bank."""
    status, problem = await ask(payments, "/pay", **body)
    assert (status, problem["mechanism"]) == (422, "invalid_input")
