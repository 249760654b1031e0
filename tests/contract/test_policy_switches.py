"""Each pattern on and off, by policy alone, on the real services: off is really off.

The semaphore's switch is held in test_gateway.py and the lock's in test_inventory.py.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from apps import Start
from msgspec.structs import replace
from reservation_harness import Shop, open_shop

from services.kit.policy.sections import BulkheadPolicy
from services.shop.policy import load_policy

POLICIES = Path(__file__).parents[2] / "policies"
PAYMENTS = "reservations-payments"
Open = Callable[..., AbstractAsyncContextManager[Shop]]


@pytest.fixture
def shop_with(new_database: Callable[[], Awaitable[str]], start: Start) -> Open:
    """Open a shop under one of the policies in the folder; its databases outlive its services."""

    def open_one(name: str, hasty: str = "") -> AbstractAsyncContextManager[Shop]:
        return open_shop(start, load_policy(POLICIES / f"{name}.yaml"), new_database, hasty)

    return open_one


@pytest.mark.parametrize(("policy", "told"), [("default", 200), ("no-retry", 503)])
async def test_a_lost_connection_costs_a_reservation_only_without_retry(
    shop_with: Open, policy: str, told: int
) -> None:
    """Inventory is cut off once: a second attempt holds the seats, where one is made."""
    async with shop_with(policy) as shop:
        shop.inventory.faults = ["cut before"]
        status, _ = await shop.reserve()
        assert status == told
        assert shop.inventory.paths.count("/reserve") == (2 if told == 200 else 1)


@pytest.mark.parametrize(("policy", "told"), [("default", 504), ("no-timeout", 200)])
async def test_a_slow_callee_is_waited_for_only_without_timeout(
    shop_with: Open, policy: str, told: int
) -> None:
    """Payments answers in twice the time that a step has."""
    async with shop_with(policy, PAYMENTS) as shop:
        shop.payments.faults = ["slow answer"]
        assert (await shop.reserve())[0] == told


@pytest.mark.parametrize(("policy", "told"), [("default", 504), ("no-deadline", 200)])
async def test_a_caller_that_has_no_time_is_served_only_without_deadline(
    shop_with: Open, policy: str, told: int
) -> None:
    """0.1 s is less than the margin: no call is made, unless the deadline is off."""
    body = {"user_id": "u", "event_id": "e", "quantity": 1}
    headers = {"X-Deadline-Ms": "100"}
    async with (
        shop_with(policy) as shop,
        shop.client.post("/reserve", json=body, headers=headers) as answer,
    ):
        assert answer.status == told
        assert (shop.inventory.paths == []) is (told == 504)


@pytest.mark.parametrize(("policy", "told"), [("default", 503), ("no-breaker", 200)])
async def test_after_five_failures_a_callee_is_called_only_without_breaker(
    shop_with: Open, policy: str, told: int
) -> None:
    """Payments is well again at once, and the open breaker does not know it yet."""
    async with shop_with(policy, PAYMENTS) as shop:
        shop.payments.faults = ["slow answer"] * 5
        await asyncio.gather(*(shop.reserve(key=f"k{n}", quantity=1) for n in range(5)))
        assert (await shop.reserve(quantity=1))[0] == told


async def test_who_meets_an_open_breaker_is_told_when_it_tries_again(shop_with: Open) -> None:
    """Retry-After is what is left of the breaker's reset of 5 s, and not just any second.

    It opened after a moment that is known here.
    """
    clock = asyncio.get_running_loop().time
    async with shop_with("default", PAYMENTS) as shop:
        shop.payments.faults = ["slow answer"] * 5
        closed_s = clock()
        await asyncio.gather(*(shop.reserve(key=f"k{n}", quantity=1) for n in range(5)))
        body = {"user_id": "u", "event_id": "e", "quantity": 1}
        async with shop.client.post("/reserve", json=body) as answer:
            assert (await answer.json())["mechanism"] == "breaker_open"
            assert closed_s + 5 - clock() <= int(answer.headers["Retry-After"]) <= 5


@pytest.mark.parametrize(("slots", "at_once"), [(2, 2), (None, 4)])
async def test_four_notices_at_once_wait_for_notifications_only_without_bulkhead(
    new_database: Callable[[], Awaitable[str]], start: Start, slots: int | None, at_once: int
) -> None:
    """Four confirmed reservations meet a slow notifications: with two slots two go straight to the outbox."""
    policy = load_policy(POLICIES / "no-bulkhead.yaml")
    bulkhead = None if slots is None else BulkheadPolicy(limit=slots)
    notifications = replace(policy.links.reservations_notifications, bulkhead=bulkhead)
    links = replace(policy.links, reservations_notifications=notifications)
    policy = replace(policy, links=links)
    async with open_shop(start, policy, new_database, "reservations-notifications") as shop:
        shop.notifications.always = "slow answer"
        answers = await asyncio.gather(*(shop.reserve(key=f"k{n}", quantity=1) for n in range(4)))
        assert [status for status, _ in answers] == [200] * 4
        assert len(shop.notifications.paths) == at_once


@pytest.mark.parametrize(
    ("policy", "ends", "left"),
    [
        ("default", "COMPENSATED", (10, ["RELEASED"], ["REFUNDED"])),
        ("no-compensation", "ABORTED", (8, ["ALLOCATED"], ["CAPTURED"])),
    ],
)
async def test_a_failed_reservation_keeps_what_it_took_only_without_compensation(
    shop_with: Open, policy: str, ends: str, left: tuple[int, list[str], list[str]]
) -> None:
    """The payment was made and its response was lost; the client's problem is not settled."""
    async with shop_with(policy, PAYMENTS) as shop:
        shop.payments.faults = ["slow answer"]
        status, problem = await shop.reserve()
        assert (status, problem["definite"], problem["settled"]) == (504, True, False)
        assert await shop.settled(problem["reservation_id"]) == ends
        assert await shop.left() == left


@pytest.mark.parametrize(
    ("policy", "told", "left"),
    [
        ("default", 200, (8, ["ALLOCATED"], ["CAPTURED"])),
        ("no-degradation", 503, (10, ["RELEASED"], ["REFUNDED"])),
    ],
)
async def test_notifications_fails_a_reservation_only_without_degradation(
    shop_with: Open, policy: str, told: int, left: tuple[int, list[str], list[str]]
) -> None:
    """The notice cannot be sent: it waits in the outbox, or else the whole reservation is undone."""
    async with shop_with(policy) as shop:
        shop.notifications.faults = ["cut before"]
        status, answer = await shop.reserve()
        assert status == told
        await shop.settled(answer["reservation_id"])
        assert await shop.left() == left


@pytest.mark.parametrize("policy", sorted(path.stem for path in POLICIES.glob("*.yaml")))
async def test_without_any_fault_every_policy_sells(shop_with: Open, policy: str) -> None:
    """Without a fault no pattern is missed; and /policy shows which policy is in force."""
    async with shop_with(policy) as shop:
        status, body = await shop.reserve()
        assert (status, body["state"]) == (200, "CONFIRMED")
        async with shop.client.get("/policy") as printed:
            assert (await printed.json())["name"] == policy
