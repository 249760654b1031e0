"""Customers of the storm: they ask, ask again with the same key, hang up, read, and compare what they are told."""

import asyncio
from dataclasses import dataclass, field

from aguante.load_protocol.records import RequestRecord
from stress.client import Client, Reading
from stress.schedule import Order

FINAL = frozenset({"sold_out", "payment_declined"})
"""Business answers: asking again with the same key gets the same."""
ASK_TRIES = 5
ASK_PAUSE_S = 0.5


@dataclass(frozen=True)
class Contradiction:
    """Two answers that cannot both be true."""

    key: str
    reservation_id: str
    said: str


@dataclass
class Customers:
    """Plays orders on one client, and remembers what cannot be true."""

    client: Client
    contradictions: list[Contradiction] = field(default_factory=list)
    comparisons: int = 0
    """How often two answers could have contradicted each other."""

    async def play(self, order: Order) -> None:
        """One customer, from arrival to giving up."""
        if order.reads_event:
            await self.client.read_event(order.wish.event_id)
        answered = await self._ask(order)
        if answered and order.looks_back:
            await self._look_back(order, answered)

    async def _ask(self, order: Order) -> RequestRecord | None:
        """Ask until there is a final answer or no pause is left; the record of a 200, or None."""
        copies = 2 if order.twin else 1
        asking = (self.client.reserve(order.wish, order.patience_s) for _ in range(copies))
        records = list(await asyncio.gather(*asking))
        for pause_s in order.pauses_s:
            if _good(records) or any(each.mechanism in FINAL for each in records):
                break
            await asyncio.sleep(pause_s)
            records.append(await self.client.reserve(order.wish))
        good = _good(records)
        for each in good[1:]:
            self._compare(good[0], good[0].reservation_id, each.reservation_id)
        return good[0] if good else None

    async def _look_back(self, order: Order, first: RequestRecord) -> None:
        reading = await self.client.read_reservation(first.reservation_id)
        if reading.record.status in (200, 404):
            self._compare(first, "CONFIRMED", reading.state or "404")
        again = await self.client.reserve(order.wish)
        if again.status == 200:
            self._compare(first, first.reservation_id, again.reservation_id)

    def _compare(self, first: RequestRecord, expected: str, found: str) -> None:
        self.comparisons += 1
        if expected != found:
            said = f"acknowledged as {expected}, then told {found}"
            self.contradictions.append(
                Contradiction(first.idempotency_key, first.reservation_id, said)
            )


async def ask_what_became_of(client: Client, reservation_ids: list[str]) -> list[Reading]:
    """Read each reservation, again and again until there is an answer (five times at most)."""
    readings = []
    for reservation_id in reservation_ids:
        reading = await client.read_reservation(reservation_id)
        for _ in range(ASK_TRIES - 1):
            if reading.record.status in (200, 404):
                break
            await asyncio.sleep(ASK_PAUSE_S)
            reading = await client.read_reservation(reservation_id)
        readings.append(reading)
    return readings


def _good(records: list[RequestRecord]) -> list[RequestRecord]:
    return [each for each in records if each.status == 200]
