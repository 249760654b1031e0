"""Lock: keeps two reservations from selling the same seat.

All modes do the same work: SELECT, decide in Python, UPDATE to the computed value, at READ COMMITTED and
without a CHECK constraint that would hide a lost update.

* `row`: `SELECT ... FOR UPDATE` in a transaction. The database makes the second reader wait, whatever
  process it is in. This is the correct one.
* `process`: one asyncio lock, and no transaction. Correct as long as there is only one process; with a
  second replica it oversells.
* `none`: no lock. Two readers see the same number, and the later UPDATE undoes the earlier: it oversells.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, Protocol

import asyncpg

from services.kit.database.pool import Database

LockMode = Literal["row", "process", "none"]


class Statements(Protocol):
    """Runs statements: the database itself, or one transaction in it."""

    async def fetchrow(self, summary: str, sql: str, *args: object) -> asyncpg.Record | None:
        """Return the first row, or None; raises DatabaseFailed."""


class SeatLock:
    """Guards every read-decide-write on seats, in the mode that the policy names."""

    def __init__(self, mode: LockMode, database: Database) -> None:
        self._mode = mode
        self._database = database
        self._in_process = asyncio.Lock()

    def select(self, sql: str, table: str) -> str:
        """Return the SELECT of a guarded section: in mode `row` it locks the rows of `table`."""
        return f"{sql} FOR UPDATE OF {table}" if self._mode == "row" else sql

    @asynccontextmanager
    async def guarded(self) -> AsyncIterator[Statements]:
        """Return the context of one guarded section; what it yields runs the statements. Raises DatabaseFailed."""
        if self._mode == "row":
            async with self._database.transaction() as transaction:
                yield transaction
        elif self._mode == "process":
            async with self._in_process:
                yield self._database
        else:
            yield self._database
