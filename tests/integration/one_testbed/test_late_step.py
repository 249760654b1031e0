"""A step that arrives after its compensation: the caller timed out and gave all back, then the toxic was lifted.

Toxiproxy holds the request of every step back; the callers time out and send their compensations, which
are held back too, on connections of their own. Lifting the toxic flushes all connections in no order: on some the
compensation gets through first. The callee's own counter of answers says on how many, and each of them must
have met a tombstone.
"""

import asyncio
import re
from dataclasses import dataclass

import aiohttp
import pytest
from race_harness import Shop

AT_ONCE = 16
"""Each is a toss-up: that no compensation at all gets through first happens once in 65,000 rounds."""
ROUNDS_MAX = 3
HELD_MS = 6_000
"""Longer than the steps' timeouts (2 and 3 s), and than what it takes to lift the toxic afterwards."""
COMPENSATING = "SELECT count(*) FROM sagas WHERE state = 'COMPENSATING'"


@dataclass(frozen=True)
class Step:
    """A step, and where the traces of its compensation are found."""

    link: str
    callee: str
    route: str
    table: str
    given_back: str


STEPS = (
    Step("reservations-payments", "payments", "/pay", "charges", "REFUNDED"),
    Step("reservations-inventory", "inventory", "/reserve", "allocations", "RELEASED"),
)


async def voided_answers(shop: Shop, step: Step) -> int:
    """How often the callee says that it refused this step with 409 voided."""
    url = next(each.url for each in shop.testbed.services if each.name == step.callee)
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        text = await answer.text()
    assert f'http_route="{step.route}"' in text, "the label changed: this test would prove nothing"
    line = re.compile(
        r"^http_server_request_duration_seconds_count\{(?=.*error_type=\"voided\")"
        rf'(?=.*http_route="{step.route}").*\}} (\S+)$',
        re.MULTILINE,
    )
    return sum(int(float(count)) for count in line.findall(text))


async def states(shop: Shop, step: Step) -> dict[str, str]:
    """Reservation id -> what the callee's table says of it."""
    sql = f"SELECT reservation_id, state FROM {step.table}"  # noqa: S608 - a name of this file
    return {row[0]: row[1] for row in await shop.rows(step.callee, sql)}


async def one_round(shop: Shop, step: Step) -> set[str]:
    """Time out on AT_ONCE steps, lift the toxic when all are being compensated; return their reservations."""
    await warmed(shop, await shop.event(1_000))
    event_id = await shop.event(1_000)
    async with shop.slow(step.link, HELD_MS, "upstream"):
        orders = shop.orders(event_id, AT_ONCE)
        asking = [asyncio.create_task(shop.client.reserve(order)) for order in orders]
        await shop.until(AT_ONCE, "reservations", COMPENSATING)
        await asyncio.sleep(0.2)  # the compensations are on the wire now, each behind its step
    records = await asyncio.gather(*asking)
    assert {(r.status, r.mechanism, r.link) for r in records} == {(504, "timeout", step.link)}
    assert all(r.definite and not r.settled for r in records)
    return {r.reservation_id for r in records}


async def warmed(shop: Shop, event_id: str) -> None:
    """Wait until reservations succeed: the breaker of an earlier round has closed again."""
    async with asyncio.timeout(60):
        for order in shop.orders(event_id, 1_000):
            record = await shop.client.reserve(order)
            if record.status == 200:
                return
            await asyncio.sleep(0.3)


@pytest.mark.parametrize("step", STEPS, ids=lambda each: each.route)
async def test_a_step_that_comes_after_its_compensation_does_nothing(
    shop: Shop, step: Step
) -> None:
    """It meets a tombstone and gets 409 voided: nothing is charged, no seat is held."""
    late = 0
    for _ in range(ROUNDS_MAX):
        refused_before = await voided_answers(shop, step)
        reservations = await one_round(shop, step)
        assert await shop.audited() == {}
        found = {i: s for i, s in (await states(shop, step)).items() if i in reservations}
        assert set(found) == reservations
        assert set(found.values()) <= {"VOIDED", step.given_back}
        late = await voided_answers(shop, step) - refused_before
        assert late <= list(found.values()).count("VOIDED")
        print(f"\n{step.route}: {late} of {AT_ONCE} came late; {sorted(found.values())}")
        if late:
            break
    assert late > 0, "no compensation got through first: this proves nothing"
