"""Reservations in front of the real inventory, payments and notifications, over wires that can be cut."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from apps import Start
from reservation_harness import Shop, open_shop

from services.shop.policy import Policy

HASTY_INVENTORY = pytest.mark.parametrize("hasty", ["reservations-inventory"])
HASTY_PAYMENTS = pytest.mark.parametrize("hasty", ["reservations-payments"])


@pytest.fixture
def hasty() -> str:
    """The link on which steps time out soon; unless a test names one, there is none."""
    return ""


@pytest.fixture
async def shop(
    new_database: Callable[[], Awaitable[str]], start: Start, policy: Policy, hasty: str
) -> AsyncIterator[Shop]:
    # The databases first, so that they are emptied last: a compensation may still be under way.
    async with open_shop(start, policy, new_database, hasty) as opened:
        yield opened


async def test_confirmed_is_200_and_everything_is_there(shop: Shop) -> None:
    """Seats held, money taken, the user notified, and the saga stores it."""
    status, body = await shop.reserve()
    assert status == 200
    assert body | {"reservation_id": "?"} == {
        "reservation_id": "?", "state": "CONFIRMED", "user_id": "u", "event_id": "e",
        "quantity": 2, "amount_cents": 5000, "notification": {"sent": True}, "failure": None,
    }  # fmt: skip
    assert await shop.left() == (8, ["ALLOCATED"], ["CAPTURED"])
    assert await shop.read(body["reservation_id"]) == body


async def test_same_key_is_replayed(shop: Shop) -> None:
    """The same request again gets the same answer and does nothing."""
    first, second = await shop.reserve(), await shop.reserve()
    assert first == second
    assert await shop.left() == (8, ["ALLOCATED"], ["CAPTURED"])


async def test_key_with_another_body_is_422(shop: Shop) -> None:
    """A key belongs to one order; the problem names no reservation, since this request made none."""
    await shop.reserve()
    status, problem = await shop.reserve(quantity=3)
    assert (status, problem["mechanism"], problem["reservation_id"]) == (422, "key_reused", None)


async def test_key_in_progress_is_409_with_retry_after(shop: Shop) -> None:
    """A second request during the first gets Retry-After, and later the first one's response."""
    shop.payments.faults = ["held answer"]
    first = asyncio.create_task(shop.reserve())
    await shop.payments.reached.wait()
    body = {"user_id": "u", "event_id": "e", "quantity": 2}
    async with shop.client.post("/reserve", json=body, headers={"Idempotency-Key": "k"}) as second:
        problem = await second.json()
        assert (second.status, second.headers["Retry-After"]) == (409, "1")
    assert (problem["mechanism"], problem["definite"]) == ("key_in_progress", False)
    shop.payments.let_go.set()
    answer = await first
    assert await shop.reserve() == answer


async def test_sold_out_is_409_settled_and_replayed(shop: Shop) -> None:
    """Nothing was taken; inventory's origin and mechanism are kept."""
    answers = [
        await shop.reserve(quantity=10, key="all"),
        await shop.reserve(),
        await shop.reserve(),
    ]
    assert [status for status, _ in answers] == [200, 409, 409]
    problem = answers[1][1]
    assert answers[2][1] | {"trace_id": ""} == problem | {"trace_id": ""}
    assert (problem["mechanism"], problem["origin"]) == ("sold_out", "inventory")
    assert (problem["definite"], problem["settled"]) == (True, True)
    assert (await shop.read(problem["reservation_id"]))["state"] == "ABORTED"


async def test_unknown_event_is_404_and_aborts(shop: Shop) -> None:
    """There was nothing to reserve, and nothing to give back."""
    status, problem = await shop.reserve(event_id="nowhere")
    assert (status, problem["mechanism"], problem["settled"]) == (404, "not_found", True)


async def test_declined_is_402_given_back_and_replayed(shop: Shop) -> None:
    """The seats go back, no refund is sent for money that was not taken, the key keeps its answer."""
    status, problem = await shop.reserve(user_id="declined-u")
    assert (status, problem["mechanism"]) == (402, "payment_declined")
    assert (problem["definite"], problem["settled"]) == (True, False)
    assert await shop.settled(problem["reservation_id"]) == "COMPENSATED"
    assert await shop.left() == (10, ["RELEASED"], ["DECLINED"])
    assert shop.payments.paths == ["/pay"]
    status, again = await shop.reserve(user_id="declined-u")
    assert (status, again["reservation_id"]) == (402, problem["reservation_id"])
    assert again["settled"]


@HASTY_PAYMENTS
async def test_slow_payment_is_504_and_refunded(shop: Shop) -> None:
    """The charge was made after the caller gave up: it is never repeated, and is refunded."""
    shop.payments.faults = ["slow answer"]
    status, problem = await shop.reserve()
    assert (status, problem["mechanism"]) == (504, "timeout")
    assert problem["link"] == "reservations-payments"
    assert (problem["origin"], problem["definite"]) == ("reservations", True)
    assert await shop.settled(problem["reservation_id"]) == "COMPENSATED"
    assert await shop.left() == (10, ["RELEASED"], ["REFUNDED"])
    assert shop.payments.paths == ["/pay", "/refund"]


async def test_lost_answer_of_a_payment_is_asked_for_again(shop: Shop) -> None:
    """After a disconnect one repetition finds the charge made, and makes no second one."""
    shop.payments.faults = ["cut after"]
    status, _ = await shop.reserve()
    assert status == 200
    assert shop.payments.paths == ["/pay", "/pay"]
    assert await shop.left() == (8, ["ALLOCATED"], ["CAPTURED"])


async def test_dead_payments_is_503_and_leaves_a_tombstone(shop: Shop) -> None:
    """The payment may be on its way still: the refund that overtakes it voids it."""
    shop.payments.faults = ["cut before", "cut before"]
    status, problem = await shop.reserve()
    assert (status, problem["mechanism"], problem["definite"]) == (503, "disconnected", True)
    assert await shop.settled(problem["reservation_id"]) == "COMPENSATED"
    assert await shop.left() == (10, ["RELEASED"], ["VOIDED"])


async def test_doubt_of_a_first_attempt_outlives_the_second(shop: Shop) -> None:
    """Declined at the second attempt, but the first may have been charged: refund all the same."""
    shop.payments.faults = ["cut before"]
    status, problem = await shop.reserve(user_id="declined-u")
    assert (status, problem["mechanism"]) == (402, "payment_declined")
    await shop.settled(problem["reservation_id"])
    assert shop.payments.paths == ["/pay", "/pay", "/refund"]


@HASTY_INVENTORY
async def test_lost_reserve_is_released(shop: Shop) -> None:
    """Seats that may be held are given back; payments is never called."""
    shop.inventory.faults = ["slow answer"]
    status, problem = await shop.reserve()
    assert (status, problem["link"]) == (504, "reservations-inventory")
    assert await shop.settled(problem["reservation_id"]) == "COMPENSATED"
    assert await shop.left() == (10, ["RELEASED"], [])


@HASTY_PAYMENTS
async def test_compensation_goes_on_until_it_holds(shop: Shop) -> None:
    """A release that is lost is sent again, and the answer waits for none of it."""
    shop.payments.faults = ["slow answer", "cut before", "cut after"]
    shop.inventory.faults = ["", "cut before", "broken"]
    _, problem = await shop.reserve()
    assert await shop.settled(problem["reservation_id"]) == "COMPENSATED"
    assert await shop.left() == (10, ["RELEASED"], ["REFUNDED"])


@HASTY_PAYMENTS
async def test_a_key_starts_anew_after_a_technical_failure(shop: Shop) -> None:
    """The same key gets a new reservation id, and this time it works."""
    shop.payments.faults = ["slow answer"]
    _, problem = await shop.reserve()
    status, body = await shop.reserve()
    assert status == 200
    assert body["reservation_id"] != problem["reservation_id"]


async def test_broken_answer_is_502(shop: Shop) -> None:
    """An error that explains nothing is indefinite, and compensated."""
    shop.payments.always = "broken"
    status, problem = await shop.reserve()
    assert (status, problem["mechanism"], problem["origin"]) == (502, "upstream_error", "payments")
    shop.payments.always = ""
    assert await shop.settled(problem["reservation_id"]) == "COMPENSATED"


@HASTY_PAYMENTS
async def test_open_breaker_is_503_and_sends_no_refund(shop: Shop) -> None:
    """After five timeouts payments is not called any more: neither for a payment, nor for a refund of none."""
    shop.payments.faults = ["slow answer"] * 5
    first = await asyncio.gather(*(shop.reserve(key=f"k{n}", quantity=1) for n in range(5)))
    assert {status for status, _ in first} == {504}
    for _, problem in first:
        await shop.settled(problem["reservation_id"])
    before = len(shop.payments.paths)
    status, problem = await shop.reserve()
    assert (status, problem["mechanism"]) == (503, "breaker_open")
    await shop.settled(problem["reservation_id"])
    assert len(shop.payments.paths) == before


async def test_notifications_down_is_200_and_delivered_later(shop: Shop) -> None:
    """The reservation stands; its notice waits in the outbox, and a read shows when it was sent."""
    shop.notifications.faults = ["cut before"]
    status, body = await shop.reserve()
    assert (status, body["notification"]) == (200, {"sent": False})
    await shop.rows["reservations"].execute("UPDATE outbox SET due_at = now()")
    for _ in range(100):
        if (await shop.read(body["reservation_id"]))["notification"]["sent"]:
            break
        await asyncio.sleep(0.03)
    else:
        pytest.fail("the notice never went out")
    assert (await shop.reserve())[1] == body


@HASTY_INVENTORY
async def test_client_that_hangs_up_cancels_nothing(shop: Shop) -> None:
    """The saga runs to its end although its client is gone."""
    shop.inventory.faults = ["slow answer"]
    shop.payments.faults = ["slow answer"]
    request = asyncio.create_task(shop.reserve())
    await shop.inventory.reached.wait()
    request.cancel()
    row = await shop.rows["reservations"].fetchrow("SELECT reservation_id FROM sagas")
    assert row is not None
    assert await shop.settled(row[0]) == "COMPENSATED"


@pytest.mark.parametrize(
    ("state", "ends", "left"),
    [
        ("PENDING", "COMPENSATED", (10, ["VOIDED"], [])),
        ("RESERVED", "COMPENSATED", (10, ["VOIDED"], ["VOIDED"])),
        ("CHARGED", "CONFIRMED", (10, [], [])),
        ("COMPENSATING", "COMPENSATED", (10, ["VOIDED"], [])),
    ],
)
async def test_recovery_finishes_what_a_lost_owner_began(
    shop: Shop, state: str, ends: str, left: tuple[int, list[str], list[str]]
) -> None:
    """Back until charged, forward from there; steps that never arrived get their tombstones."""
    await shop.rows["reservations"].execute(
        "INSERT INTO sagas (reservation_id, idempotency_key, user_id, event_id, quantity, state, "
        "version, lease_until, trace_id, span_id) "
        "VALUES ('r', 'lost', 'u', 'e', 1, $1, 1, now() - interval '1 s', $2, $3)",
        state, "a" * 32, "b" * 16,
    )  # fmt: skip
    assert await shop.settled("r") == ends
    assert await shop.left() == left


COMMIT_LOST = """
CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); RETURN NEW; END $$;
CREATE TRIGGER lose BEFORE UPDATE ON sagas FOR EACH ROW WHEN (NEW.state = '{state}')
EXECUTE FUNCTION lose()"""


async def test_lost_commit_of_confirmed_is_503_and_goes_forward(shop: Shop) -> None:
    """Nobody knows whether it was written: nothing is given back, the worker confirms it."""
    rows = shop.rows["reservations"]
    await rows.execute(COMMIT_LOST.format(state="CONFIRMED"))
    status, problem = await shop.reserve()
    assert (status, problem["mechanism"]) == (503, "commit_unknown")
    assert (problem["link"], problem["definite"]) == ("reservations-db", False)
    assert await shop.left() == (8, ["ALLOCATED"], ["CAPTURED"])
    await rows.execute("DROP TRIGGER lose ON sagas; UPDATE sagas SET lease_until = now()")
    assert await shop.settled(problem["reservation_id"]) == "CONFIRMED"
    assert (await shop.reserve())[0] == 200


@HASTY_PAYMENTS
async def test_failure_that_cannot_be_written_is_indefinite(shop: Shop) -> None:
    """Without COMPENSATING on record the failure is not definite; recovery makes it so."""
    rows = shop.rows["reservations"]
    await rows.execute(COMMIT_LOST.format(state="COMPENSATING"))
    shop.payments.faults = ["slow answer"]
    status, problem = await shop.reserve()
    assert (status, problem["mechanism"], problem["definite"]) == (504, "timeout", False)
    await rows.execute("DROP TRIGGER lose ON sagas; UPDATE sagas SET lease_until = now()")
    assert await shop.settled(problem["reservation_id"]) == "COMPENSATED"
    assert await shop.left() == (10, ["RELEASED"], ["REFUNDED"])


async def test_no_database_is_503_and_definite(shop: Shop) -> None:
    """A saga that could not even be stored sends no step, ever."""
    await shop.rows["reservations"].execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); RETURN NEW; "
        "END $$; CREATE TRIGGER refuse BEFORE INSERT ON sagas FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    status, problem = await shop.reserve()
    assert status == 503
    assert (problem["link"], problem["definite"]) == ("reservations-db", True)
    assert shop.inventory.paths == []


async def test_concurrent_requests_with_one_key_make_one_reservation(shop: Shop) -> None:
    """Ten at once: one runs, the others get 409 or its response."""
    answers = await asyncio.gather(*(shop.reserve() for _ in range(10)))
    assert {status for status, _ in answers} <= {200, 409}
    assert len({body["reservation_id"] for _, body in answers}) == 1
    assert await shop.left() == (8, ["ALLOCATED"], ["CAPTURED"])


async def test_a_restart_keeps_every_answer(shop: Shop) -> None:
    """A new process replays what an old one answered."""
    first = await shop.reserve()
    await shop.client.close()
    shop.client = await shop.restart()
    assert await shop.reserve() == first


async def test_unknown_reservation_is_404(shop: Shop) -> None:
    """There is no such id."""
    assert (await shop.client.get("/reservations/nobody")).status == 404


@pytest.mark.parametrize(
    "changed",
    [{"quantity": 0}, {"quantity": True}, {"user_id": ""}, {"event_id": "a b"}, {"colour": "red"}],
)
async def test_bad_fields_are_422(shop: Shop, changed: dict[str, Any]) -> None:
    """Input that makes no sense starts no saga."""
    status, problem = await shop.reserve(**{"quantity": 1, **changed})
    assert (status, problem["mechanism"]) == (422, "invalid_input")
    assert await shop.rows["reservations"].fetchval("SELECT count(*) FROM sagas") == 0


async def test_no_time_left_is_504_and_nothing_is_sent(shop: Shop) -> None:
    """A deadline that has passed aborts before the first step: definite, settled, no call."""
    body = {"user_id": "u", "event_id": "e", "quantity": 1}
    async with shop.client.post("/reserve", json=body, headers={"X-Deadline-Ms": "100"}) as answer:
        problem = await answer.json()
    assert (answer.status, problem["mechanism"]) == (504, "deadline")
    assert (problem["definite"], problem["settled"]) == (True, True)
    assert shop.inventory.paths == []


async def test_deadline_between_steps_gives_the_seats_back(shop: Shop) -> None:
    """Cut short while paying, the attempt is `deadline`, not `timeout`, and is compensated."""
    shop.payments.faults = ["held answer"]
    body = {"user_id": "u", "event_id": "e", "quantity": 1}
    async with shop.client.post("/reserve", json=body, headers={"X-Deadline-Ms": "1500"}) as answer:
        problem = await answer.json()
    shop.payments.let_go.set()
    assert (answer.status, problem["mechanism"]) == (504, "deadline")
    assert await shop.settled(problem["reservation_id"]) == "COMPENSATED"
    assert (await shop.left())[0] == 10


async def test_bad_key_is_422_and_a_missing_one_is_made(shop: Shop) -> None:
    """The key comes back in a header, so that a client without one can still ask again."""
    body = {"user_id": "u", "event_id": "e", "quantity": 1}
    async with shop.client.post("/reserve", json=body, headers={"Idempotency-Key": "a b"}) as bad:
        assert bad.status == 422
    async with shop.client.post("/reserve", json=body) as good:
        assert good.status == 200
        assert good.headers["Idempotency-Key"]
