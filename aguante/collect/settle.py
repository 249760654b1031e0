"""Whether the system comes to rest: no unfinished work in two reads one second apart, within the limit."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import asyncpg

from aguante.run_folder.events import Settled
from aguante.testbed.runtime import Testbed
from aguante.testbed.testbed_spec import SettleSpec

PAUSE_S = 1.0
READ_LIMIT_S = 2.0
UNREAD = -1
"""In place of a count of rows, when they could not be read."""


async def settle(spec: SettleSpec, testbed: Testbed) -> Settled:
    """Read the settle query through the auditor's own connection until it stays empty, or time is up.

    A testbed without such a query has nothing under way that could be asked for: it counts as settled.

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
    read: Callable[[], Awaitable[int]],
    within_s: float,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[object]],
) -> Settled:
    """Poll ``read`` (rows still under way; ``UNREAD`` when unknown) until two zeros ``PAUSE_S`` apart.

    ``took_s`` is when the second zero was read: it holds at least one pause.
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


async def _rows(dsn: str, query: str) -> int:
    """Unfinished rows, or ``UNREAD``: a database that is away just now is not settled, and may come back."""
    try:
        async with asyncio.timeout(READ_LIMIT_S):
            connection = await asyncpg.connect(dsn)
            try:
                return len(await connection.fetch(query))
            finally:
                connection.terminate()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        return UNREAD
