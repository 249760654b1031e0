"""PostgreSQL through a link: one pool, every wait bounded, every failure named, and definite or not.

* A connection comes within `acquire_s`, else `pool_exhausted` (all were in use) or `database_unavailable`.
* A statement ends within `statement_s`, else `timeout`. The server has the same limit, so that a statement whose
  client gave up does not go on waiting for a lock. A connection that timed out is closed, not reused.
* A lost connection is `database_unavailable`; the pool connects again at the next use.
* A COMMIT, or a `write`, whose outcome is unknown is `commit_unknown`, never definite.

The pool's reset query is off: it would be a second trip through Toxiproxy at each release, and our sessions leave
no state behind. asyncpg prepares each statement once per connection and keeps it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING

import asyncpg
from aiohttp import web

from services.kit.database import errors
from services.kit.database.session import Session, give_back, terminate
from services.kit.failures.failed import DatabaseFailed
from services.kit.failures.problem import Mechanism
from services.kit.policy.sections import DatabasePolicy
from services.kit.telemetry.telemetry import Telemetry

if TYPE_CHECKING:
    from services.kit.database.session import Connection, Pool

OPEN_PAUSE_S = 0.1
OPEN_S = 5.0
SCHEMA_S = 10.0
_SCHEMA_LOCK = (
    "SELECT pg_advisory_xact_lock(4711)"  # two replicas must not create one table at once
)

_LOG = logging.getLogger(__name__)


class Database:
    """One service's database. Every method raises `DatabaseFailed`; a violated constraint stays asyncpg's error."""

    def __init__(
        self,
        link: str,
        url: str,
        policy: DatabasePolicy,
        telemetry: Telemetry,
        statements: Iterable[str] = (),
    ) -> None:
        """Make the pool, unopened; `statements`: the summaries of all statements that will be run."""
        self.link = link
        self._url = url
        self._policy = policy
        self._telemetry = telemetry
        self._pool: Pool | None = None
        self._schema_made = False
        self._used = 0
        telemetry.metrics.expect_statements(link, statements)
        telemetry.metrics.expect_pool(link, policy.pool_size, self._idle, lambda: self._used)

    def _idle(self) -> int:
        return 0 if self._pool is None else self._pool.get_idle_size()

    # What repositories use -------------------------------------------------------------------------

    async def fetchrow(self, summary: str, sql: str, *args: object) -> asyncpg.Record | None:
        """Return the first row of one reading statement in a transaction of its own; None when there is none.

        `summary` names span and metric: few words, always the same for a statement.
        """
        async with self._session(in_transaction=False) as session:
            return await session.fetchrow(summary, sql, *args)

    async def fetch(self, summary: str, sql: str, *args: object) -> list[asyncpg.Record]:
        """Return all rows of one reading statement in a transaction of its own."""
        async with self._session(in_transaction=False) as session:
            return await session.fetch(summary, sql, *args)

    async def write(self, summary: str, sql: str, *args: object) -> asyncpg.Record | None:
        """Run one writing statement that commits itself, and return its first row (`RETURNING`).

        Raises `DatabaseFailed(commit_unknown)`, not definite, when it was sent and its outcome is unknown.
        """
        try:
            return await self.fetchrow(summary, sql, *args)
        except DatabaseFailed as failure:
            if failure.definite:
                raise
            raise errors.commit_unknown(self.link, failure) from failure

    def transaction(self) -> AbstractAsyncContextManager[Session]:
        """Return the context of one transaction: committed at the end, rolled back when the body raises.

        A failure before the COMMIT is definite. Raises `commit_unknown` when the COMMIT's outcome is unknown.
        """
        return self._session(in_transaction=True)

    # Its life --------------------------------------------------------------------------------------

    def lifetime(self, schema: str) -> Callable[[web.Application], AsyncIterator[None]]:
        """Return a `cleanup_ctx` that opens the database in the background and closes it at the end.

        `schema` is idempotent DDL. Start-up does not wait for it: `/healthz` responds from the first moment.
        """

        async def context(app: web.Application) -> AsyncIterator[None]:
            opening = asyncio.create_task(self.open(schema))
            yield
            opening.cancel()
            with suppress(asyncio.CancelledError):
                await opening
            await self.close()

        return context

    async def open(self, schema: str) -> None:
        """Make the tables, trying until the database is reachable; raises `PostgresError` on faulty DDL."""
        self._pool = await self._make_pool()
        while not self._schema_made:
            try:
                await self._make_schema(schema)
            except DatabaseFailed as failure:
                _LOG.info("waiting for the database: %s", failure)
                await asyncio.sleep(OPEN_PAUSE_S)
            except asyncpg.PostgresError:
                _LOG.exception("the schema is faulty; the service will never be ready")
                raise
        await self._warm(self._pool)

    async def _warm(self, pool: Pool) -> None:
        """Fill the pool, so that a slow link delays statements, as it should, and not the making of connections."""
        asked = [pool.acquire(timeout=OPEN_S) for _ in range(self._policy.pool_size)]
        for got in await asyncio.gather(*asked, return_exceptions=True):
            if not isinstance(got, BaseException):
                await give_back(pool, got)

    async def _make_schema(self, schema: str) -> None:
        async with self._session(in_transaction=True) as session:
            await session.script(f"SET LOCAL statement_timeout = '{SCHEMA_S}s'", SCHEMA_S)
            await session.script(_SCHEMA_LOCK, SCHEMA_S)
            await session.script(schema, SCHEMA_S)
        self._schema_made = True

    async def ready(self) -> str | None:
        """Return why the database cannot be used now, or None; a statement finds out."""
        if not self._schema_made:
            return f"{self.link}: not reachable yet, or its tables are not made"
        try:
            async with self._session(in_transaction=False) as session:
                await session.script("SELECT 1", self._policy.statement_s)
        except DatabaseFailed as failure:
            return str(failure)
        return None

    async def close(self) -> None:
        """Drop every connection at once; when this is called no statement is in flight any more."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    def _make_pool(self) -> Pool:
        limit_ms = str(int(self._policy.statement_s * 1000))
        return asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._policy.pool_size,
            max_inactive_connection_lifetime=0,
            reset=_leave_as_it_is,
            timeout=self._policy.acquire_s,
            ssl=False,
            server_settings={
                "application_name": self.link,
                "statement_timeout": limit_ms,
                "idle_in_transaction_session_timeout": "5000",
            },
        )

    @asynccontextmanager
    async def _session(self, *, in_transaction: bool) -> AsyncIterator[Session]:
        connection, pool = await self._acquire()
        self._used += 1
        try:
            session = Session(
                self.link, connection, self._policy.statement_s, self._telemetry, in_transaction
            )
            if in_transaction:
                async with session.committed():
                    yield session
            else:
                yield session
        except asyncio.CancelledError:
            terminate(connection)  # a statement may be half done: the connection cannot be reused
            raise
        finally:
            self._used -= 1
            await give_back(pool, connection)

    async def _acquire(self) -> tuple[Connection, Pool]:
        pool = self._pool
        if pool is None:
            raise self._failed(Mechanism.DATABASE_UNAVAILABLE, "not opened yet")
        started_s = time.monotonic()
        queued = self._all_used()
        try:
            return await pool.acquire(timeout=self._policy.acquire_s), pool
        except TimeoutError as error:
            waited = f"no connection within {time.monotonic() - started_s:.2f} s"
            # A caller that queued lost its time there, even if it got a place at last and had none left to connect.
            full = queued or self._all_used()
            mechanism = Mechanism.POOL_EXHAUSTED if full else Mechanism.DATABASE_UNAVAILABLE
            raise self._failed(mechanism, waited) from error
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise self._failed(Mechanism.DATABASE_UNAVAILABLE, str(error)) from error

    def _all_used(self) -> bool:
        return self._used >= self._policy.pool_size

    def _failed(self, mechanism: Mechanism, detail: str) -> DatabaseFailed:
        return errors.failed(self.link, mechanism, definite=True, detail=detail)


async def _leave_as_it_is(connection: object) -> None:
    """Take the place of asyncpg's reset query."""
