"""Translates what asyncpg and the socket raise into the contract's failures."""

from __future__ import annotations

import asyncpg

from services.kit.failures.failed import DatabaseFailed, caller_of
from services.kit.failures.problem import Mechanism

# The server ended the session or refuses work; the connection cannot be used any more.
_SESSION_ENDED = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
# asyncpg raises InternalClientError between the server's last message and the end of the connection.
OF_THE_CONNECTION = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
# The server reported that the statement did nothing and may be repeated.
_ROLLED_BACK = (asyncpg.TransactionRollbackError, asyncpg.InsufficientResourcesError)


def failed(link: str, mechanism: Mechanism, *, definite: bool, detail: str) -> DatabaseFailed:
    """Return the failure; its origin is the service whose database it is."""
    return DatabaseFailed(mechanism, definite, link, caller_of(link), detail[:200])


def commit_unknown(link: str, cause: BaseException) -> DatabaseFailed:
    """Return the failure of a write that may have been committed."""
    detail = f"sent, but its outcome is unknown: {cause!r}"
    return failed(link, Mechanism.COMMIT_UNKNOWN, definite=False, detail=detail)


def statement_failure(
    link: str, error: BaseException, *, closed: bool, definite: bool
) -> DatabaseFailed | None:
    """Return the failure of a statement; None for an error of the statement itself.

    `closed`: the connection is; asyncpg uses `InterfaceError` for that and for wrong arguments alike.
    `definite`: losing the connection undoes the statement, because it is inside a transaction.
    """
    text = str(error) or type(error).__name__
    if isinstance(error, asyncpg.QueryCanceledError):
        return failed(link, Mechanism.TIMEOUT, definite=True, detail=text)
    if isinstance(error, TimeoutError):
        waited = "no answer to a statement in time"
        return failed(link, Mechanism.TIMEOUT, definite=definite, detail=waited)
    if isinstance(error, _ROLLED_BACK):
        return failed(link, Mechanism.DATABASE_UNAVAILABLE, definite=True, detail=text)
    lost = isinstance(error, asyncpg.InterfaceError) and closed
    if lost or isinstance(error, (*_SESSION_ENDED, OSError, asyncpg.InternalClientError)):
        return failed(link, Mechanism.DATABASE_UNAVAILABLE, definite=definite, detail=text)
    return None
