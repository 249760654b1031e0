"""Waits until the system has settled: two reads, one second apart, find no unfinished work."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import asyncpg

from aguante.run_folder.events import Settled
from aguante.testbed.runtime import Testbed
from aguante.testbed.testbed_spec import SettleSpec

PAUSE_S = 1.0
READ_LIMIT_S = 2.0


async def settle(spec: SettleSpec, testbed: Testbed) -> Settled:
    """Repeat the settle query on the auditor's own connection until it returns no rows twice, or time is up.

    A testbed without a settle query counts as settled.

    Raises:
        KeyError: the testbed has no database of that name.
        OSError: the query's file cannot be read.
    """
    if spec.query is None:
        return Settled(settled=True, took_s=0.0, unsettled=0)
    dsn = {database.name: database.dsn for database in testbed.databases}[spec.database]
    query = spec.query.read_text(encoding="utf-8")
    return await wait_settled(
        lambda: _rows(dsn, query), spec.within_s, clock=time.monotonic, sleep=asyncio.sleep
    )


async def wait_settled(
    read: Callable[[], Awaitable[int | None]],
    within_s: float,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[object]],
) -> Settled:
    """Poll ``read`` (unfinished rows; None: unknown) until it returns 0 twice in a row, ``PAUSE_S`` apart.

    ``took_s`` is the time until the second 0, so it includes at least one pause.
    """
    began_s = clock()
    zeros = 0
    while True:
        rows = await read()
        took_s = clock() - began_s
        zeros = zeros + 1 if rows == 0 else 0
        if zeros == 2:
            return Settled(settled=True, took_s=took_s, unsettled=0)
        if took_s + PAUSE_S > within_s:
            return Settled(settled=False, took_s=took_s, unsettled=rows)
        await sleep(PAUSE_S)


async def _rows(dsn: str, query: str) -> int | None:
    """Unfinished rows; None while the database is away, since it may come back."""
    try:
        async with asyncio.timeout(READ_LIMIT_S):
            connection = await asyncpg.connect(dsn)
            try:
                return len(await connection.fetch(query))
            finally:
                connection.terminate()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        return None
