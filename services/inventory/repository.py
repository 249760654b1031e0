"""Seats in PostgreSQL: every number is read, decided on in `domain`, and written back.

Trips to the database: 2 for a reserve or a release (a SELECT; then UPDATE and INSERT in one statement), and in
mode `row` 2 more for BEGIN and COMMIT, which hold the row in between. All methods raise DatabaseFailed.
"""

import asyncpg

from services.inventory.domain import (
    Allocation,
    AllocationState,
    Change,
    Event,
    Verdict,
    decide_capacity,
    decide_release,
    decide_reserve,
)
from services.inventory.lock import SeatLock, Statements
from services.kit.database.pool import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    event_id text PRIMARY KEY,
    capacity integer NOT NULL,
    available integer NOT NULL
);
CREATE TABLE IF NOT EXISTS allocations (
    reservation_id text PRIMARY KEY,
    event_id text,
    quantity integer NOT NULL,
    state text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS allocations_held ON allocations (event_id) WHERE state = 'ALLOCATED';
"""

_FOR_RESERVE = """
SELECT e.event_id AS on_sale, e.capacity, e.available, a.reservation_id, a.event_id, a.quantity, a.state
FROM events AS e LEFT JOIN allocations AS a ON a.reservation_id = $2
WHERE e.event_id = $1"""

# The primary key of allocations decides between two attempts for one reservation, and between a reserve and the
# tombstone that a release left: the second inserts nothing, and so takes no seats.
_ALLOCATE = """
WITH placed AS (
    INSERT INTO allocations (reservation_id, event_id, quantity, state) VALUES ($1, $2, $3, 'ALLOCATED')
    ON CONFLICT DO NOTHING RETURNING event_id)
UPDATE events SET available = $4 FROM placed WHERE events.event_id = placed.event_id RETURNING available"""

_FOR_RELEASE = """
SELECT e.event_id AS on_sale, e.capacity, e.available, a.reservation_id, a.event_id, a.quantity, a.state
FROM allocations AS a JOIN events AS e ON e.event_id = a.event_id
WHERE a.reservation_id = $1"""

_RELEASE = """
WITH released AS (
    UPDATE allocations SET state = 'RELEASED', updated_at = now()
    WHERE reservation_id = $1 AND state = 'ALLOCATED' RETURNING event_id)
UPDATE events SET available = $2 FROM released WHERE events.event_id = released.event_id RETURNING available"""

_LEAVE_TOMBSTONE = """
INSERT INTO allocations (reservation_id, quantity, state) VALUES ($1, 0, 'VOIDED')
ON CONFLICT DO NOTHING RETURNING reservation_id"""

_CREATE = """
INSERT INTO events (event_id, capacity, available) VALUES ($1, $2, $2)
ON CONFLICT DO NOTHING RETURNING event_id, capacity, available"""

_READ = "SELECT event_id, capacity, available FROM events WHERE event_id = $1"

# Allocated seats are counted, not inferred from what is available: so a reset also repairs an oversold event.
_COUNT = """
SELECT coalesce(sum(quantity), 0)::integer AS allocated FROM allocations
WHERE event_id = $1 AND state = 'ALLOCATED'"""

_RESIZE = """
UPDATE events SET capacity = $2, available = $3 WHERE event_id = $1 RETURNING event_id, capacity, available"""

STATEMENTS = (
    *("BEGIN", "COMMIT", "ROLLBACK"),
    *("SELECT event", "SELECT allocation", "SELECT allocated"),
    *("INSERT allocation", "INSERT tombstone", "INSERT event"),
    *("UPDATE allocation", "UPDATE event"),
)


class Seats:
    """Events and their allocations."""

    def __init__(self, database: Database, lock: SeatLock) -> None:
        self._database = database
        self._lock = lock

    async def reserve(self, reservation_id: str, event_id: str, quantity: int) -> Verdict:
        """Hold `quantity` seats for the reservation, once however often it is called."""
        sql = self._lock.select(_FOR_RESERVE, "e")
        while True:
            async with self._lock.guarded() as statements:
                row = await statements.fetchrow("SELECT event", sql, event_id, reservation_id)
                change = decide_reserve(_event(row), _allocation(row), event_id, quantity)
                if change.verdict is not Verdict.DONE:
                    return change.verdict
                args = (reservation_id, event_id, quantity, change.available)
                if await statements.fetchrow("INSERT allocation", _ALLOCATE, *args):
                    return Verdict.DONE
            # Another request wrote this reservation's row since we read it: read it again, it stays.

    async def release(self, reservation_id: str) -> Verdict:
        """Give back the reservation's seats; if it has none, make sure that it never gets any."""
        async with self._lock.guarded() as statements:
            verdict = await self._release_held(statements, reservation_id)
            if verdict is not Verdict.NOT_FOUND:
                return verdict
            if await statements.fetchrow("INSERT tombstone", _LEAVE_TOMBSTONE, reservation_id):
                return Verdict.DONE
            # A reserve came in between, or there is a tombstone already and nothing is held.
            verdict = await self._release_held(statements, reservation_id)
        return Verdict.REPEATED if verdict is Verdict.NOT_FOUND else verdict

    async def _release_held(self, statements: Statements, reservation_id: str) -> Verdict:
        sql = self._lock.select(_FOR_RELEASE, "a, e")
        row = await statements.fetchrow("SELECT allocation", sql, reservation_id)
        held, event = _allocation(row), _event(row)
        if held is None or event is None:
            return Verdict.NOT_FOUND
        change: Change = decide_release(held, event)
        if change.verdict is Verdict.DONE:
            await statements.fetchrow(
                "UPDATE allocation", _RELEASE, reservation_id, change.available
            )
        return change.verdict

    async def find(self, event_id: str) -> Event | None:
        """Read one event."""
        row = await self._database.fetchrow("SELECT event", _READ, event_id)
        return Event(row["event_id"], row["capacity"], row["available"]) if row else None

    async def resize(self, event_id: str, capacity: int) -> Event | int:
        """Create or reset an event; return it, or how many seats are held when that is more."""
        async with self._lock.guarded() as statements:
            row = await statements.fetchrow("INSERT event", _CREATE, event_id, capacity)
            if row is None:
                read = self._lock.select(_READ, "events")
                await statements.fetchrow("SELECT event", read, event_id)
                count = await statements.fetchrow("SELECT allocated", _COUNT, event_id)
                allocated: int = count["allocated"] if count else 0
                change = decide_capacity(allocated, capacity)
                if change.verdict is Verdict.CONFLICT:
                    return allocated
                args = (event_id, capacity, change.available)
                row = await statements.fetchrow("UPDATE event", _RESIZE, *args)
        return Event(event_id, capacity, row["available"] if row else capacity)


def _event(row: asyncpg.Record | None) -> Event | None:
    return Event(row["on_sale"], row["capacity"], row["available"]) if row else None


def _allocation(row: asyncpg.Record | None) -> Allocation | None:
    if row is None or row["reservation_id"] is None:
        return None
    state = AllocationState(row["state"])
    return Allocation(row["reservation_id"], row["event_id"], row["quantity"], state)
