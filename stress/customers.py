"""Customers of the storm: they order, retry with the same key, disconnect, read back, and compare the responses."""

import asyncio
from dataclasses import dataclass, field

from aguante.load_protocol.records import RequestRecord
from stress.client import Client, Reading
from stress.schedule import Order

FINAL = frozenset({"sold_out", "payment_declined"})
"""Business outcomes: a retry with the same key gets the same response."""
READ_TRIES = 5
READ_PAUSE_S = 0.5


@dataclass(frozen=True)
class Contradiction:
    """Two responses that cannot both be true."""

    key: str
    reservation_id: str
    text: str


@dataclass
class Customers:
    """Plays orders on one client and collects contradictory responses."""

    client: Client
    contradictions: list[Contradiction] = field(default_factory=list)
    comparisons: int = 0
    """The number of pairs of responses that were compared."""

    async def play(self, order: Order) -> None:
        """Play one customer, from arrival to the last attempt."""
        if order.reads_event:
            await self.client.read_event(order.request.event_id)
        first = await self._reserve(order)
        if first and order.reads_back:
            await self._read_back(order, first)

    async def _reserve(self, order: Order) -> RequestRecord | None:
        """Send until there is a final response or no attempt is left; return the record of a 200, or None."""
        copies = 2 if order.duplicate else 1
        attempts = (self.client.reserve(order.request, order.patience_s) for _ in range(copies))
        records = list(await asyncio.gather(*attempts))
        for pause_s in order.pauses_s:
            if _confirmed(records) or any(each.mechanism in FINAL for each in records):
                break
            await asyncio.sleep(pause_s)
            records.append(await self.client.reserve(order.request))
        confirmed = _confirmed(records)
        for each in confirmed[1:]:
            self._compare(confirmed[0], confirmed[0].reservation_id, each.reservation_id)
        return confirmed[0] if confirmed else None

    async def _read_back(self, order: Order, first: RequestRecord) -> None:
        reading = await self.client.read_reservation(first.reservation_id)
        if reading.record.status in (200, 404):
            self._compare(first, "CONFIRMED", reading.state or "404")
        again = await self.client.reserve(order.request)
        if again.status == 200:
            self._compare(first, first.reservation_id, again.reservation_id)

    def _compare(self, first: RequestRecord, expected: str, found: str) -> None:
        self.comparisons += 1
        if expected != found:
            text = f"acknowledged as {expected}, then reported as {found}"
            self.contradictions.append(
                Contradiction(first.idempotency_key, first.reservation_id, text)
            )


async def read_reservations(client: Client, reservation_ids: list[str]) -> list[Reading]:
    """Read each reservation, at most five times until there is a response of 200 or 404."""
    readings = []
    for reservation_id in reservation_ids:
        reading = await client.read_reservation(reservation_id)
        for _ in range(READ_TRIES - 1):
            if reading.record.status in (200, 404):
                break
            await asyncio.sleep(READ_PAUSE_S)
            reading = await client.read_reservation(reservation_id)
        readings.append(reading)
    return readings


def _confirmed(records: list[RequestRecord]) -> list[RequestRecord]:
    return [each for each in records if each.status == 200]
