"""Statements on one connection, each with a span, a metric and a time limit; and the transaction around them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import asyncpg
from opentelemetry.trace import SpanKind, Status, StatusCode

from services.kit.database import errors
from services.kit.failures.failed import DatabaseFailed
from services.kit.failures.problem import Mechanism
from services.kit.telemetry.events import StatementFinished
from services.kit.telemetry.telemetry import Telemetry

if TYPE_CHECKING:  # generic in the stubs, not at run time
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]

T = TypeVar("T")


class Session:
    """One connection for the length of a `with`. Every method raises `DatabaseFailed`."""

    def __init__(
        self,
        link: str,
        connection: Connection,
        statement_s: float,
        telemetry: Telemetry,
        in_transaction: bool,
    ) -> None:
        self._link = link
        self._connection = connection
        self._statement_s = statement_s
        self._telemetry = telemetry
        self._in_transaction = in_transaction

    async def fetchrow(self, summary: str, sql: str, *args: object) -> asyncpg.Record | None:
        """Return the first row, or None."""
        return await self._observed(summary, sql, lambda: self._connection.fetchrow(sql, *args))

    async def fetch(self, summary: str, sql: str, *args: object) -> list[asyncpg.Record]:
        """Return all rows."""
        return await self._observed(summary, sql, lambda: self._connection.fetch(sql, *args))

    async def script(self, sql: str, limit_s: float) -> None:
        """Run statements without arguments and without a span: DDL and the readiness check."""
        await self._bounded(lambda: self._connection.execute(sql), limit_s)

    @asynccontextmanager
    async def committed(self) -> AsyncIterator[None]:
        """BEGIN, the body, COMMIT; ROLLBACK when the body raises."""
        transaction = self._connection.transaction()
        await self._observed("BEGIN", "BEGIN", transaction.start)
        try:
            yield
        except Exception:
            with suppress(DatabaseFailed):  # a lost connection has rolled back already
                await self._observed("ROLLBACK", "ROLLBACK", transaction.rollback)
            raise
        await self._commit(transaction.commit)

    async def _commit(self, commit: Callable[[], Awaitable[None]]) -> None:
        sent = not is_closed(self._connection)
        try:
            await self._observed("COMMIT", "COMMIT", commit)
        except DatabaseFailed as failure:
            answered = isinstance(failure.__cause__, asyncpg.QueryCanceledError)
            if not sent or answered:
                raise
            raise errors.commit_unknown(self._link, failure) from failure

    async def _observed(self, summary: str, sql: str, statement: Callable[[], Awaitable[T]]) -> T:
        span = self._telemetry.tracing.start(
            summary,
            SpanKind.CLIENT,
            {
                "db.system.name": "postgresql",
                "db.operation.name": sql.split(maxsplit=1)[0].upper(),
                "db.query.summary": summary,
                "aguante.link": self._link,
            },
        )
        started_s = time.perf_counter()
        mechanism: Mechanism | None = None
        try:
            return await self._bounded(statement, self._statement_s)
        except DatabaseFailed as failure:
            mechanism = failure.mechanism
            span.set_attribute("error.type", mechanism.value)
            span.set_status(Status(StatusCode.ERROR, mechanism.value))
            raise
        finally:
            span.end()
            duration_s = time.perf_counter() - started_s
            self._telemetry.emit(StatementFinished(self._link, summary, mechanism, duration_s))

    async def _bounded(self, statement: Callable[[], Awaitable[T]], limit_s: float) -> T:
        try:
            async with asyncio.timeout(limit_s):
                return await statement()
        except errors.OF_THE_CONNECTION as error:
            failure = errors.statement_failure(
                self._link,
                error,
                closed=is_closed(self._connection),
                definite=self._in_transaction,
            )
            if failure is None:
                raise
            if not isinstance(error, asyncpg.PostgresError):
                terminate(self._connection)
            raise failure from error


def is_closed(connection: Connection) -> bool:
    """Return whether a connection is lost; the pool takes a lost one back at once, and asking it then raises."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


async def give_back(pool: Pool, connection: Connection) -> None:
    """Return a connection to its pool, which may have taken it back by itself a moment ago.

    asyncpg checks that first and releases it one turn of the loop later; if the connection is lost in between, it
    raises InternalClientError ("on a free connection holder"), and there is nothing left to do.
    """
    try:
        await pool.release(connection)
    except asyncpg.InternalClientError:
        if not is_closed(connection):
            raise


def terminate(connection: Connection) -> None:
    """Close a connection at once, if the pool has not done so already."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()
