"""Reads from the databases, bypassing the proxies, which reservations are charged and not yet confirmed."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from aguante.testbed.runtime import Testbed

_UNDER_WAY = """
SELECT reservation_id FROM sagas
WHERE state IN ('RESERVED', 'CHARGED') AND updated_at > now() - interval '5 s'"""
_PAID = "SELECT reservation_id FROM charges WHERE state = 'CAPTURED' AND reservation_id = ANY($1)"
_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'reservations'"
POLL_S = 0.005


class SagaObserver:
    """Uses two open connections; not for concurrent use by two tasks."""

    def __init__(self, sagas: asyncpg.Connection, charges: asyncpg.Connection) -> None:
        self._sagas = sagas
        self._charges = charges

    async def between(self) -> frozenset[str]:
        """Reservations with a captured charge whose saga is between pay and confirm and has a live owner.

        A saga unchanged for 5 s, a whole deadline, is left out: its owner gave it up, and it waits for recovery.
        """
        under_way = [row[0] for row in await self._sagas.fetch(_UNDER_WAY)]
        if not under_way:
            return frozenset()
        return frozenset(row[0] for row in await self._charges.fetch(_PAID, under_way))

    async def wait_for_one(self, known: frozenset[str], limit_s: float) -> bool:
        """Return True as soon as there is one that is not in ``known``, False after ``limit_s``."""
        give_up_s = time.monotonic() + limit_s
        while time.monotonic() < give_up_s:
            if await self.between() - known:
                return True
            await asyncio.sleep(POLL_S)
        return False

    async def sessions_end(self, limit_s: float) -> bool:
        """Wait until reservations has no database session left, so that no statement of it can still arrive.

        Returns False when a session is left after ``limit_s`` (held by a toxic, for example).
        """
        give_up_s = time.monotonic() + limit_s
        while time.monotonic() < give_up_s:
            if not await self._sagas.fetchval(_SESSIONS):
                return True
            await asyncio.sleep(POLL_S)
        return False


@asynccontextmanager
async def saga_observer(testbed: Testbed) -> AsyncIterator[SagaObserver]:
    """Connect an observer for the duration of the body.

    Raises:
        OSError: a database cannot be reached.
        asyncpg.PostgresError: a database refuses the connection.
    """
    dsn = {each.name: each.dsn for each in testbed.databases}
    sagas = await asyncpg.connect(dsn["reservations"])
    try:
        charges = await asyncpg.connect(dsn["payments"])
        try:
            yield SagaObserver(sagas, charges)
        finally:
            charges.terminate()
    finally:
        sagas.terminate()
