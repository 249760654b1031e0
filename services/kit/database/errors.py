"""What asyncpg and the socket raise, named as the contract names it."""

from __future__ import annotations

import asyncpg

from services.kit.failures.failed import DatabaseFailed, caller_of
from services.kit.failures.problem import Mechanism

# The server ended the session or refuses work; the connection is of no more use.
_SESSION_ENDED = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
# asyncpg says InternalClientError when the server's farewell has been read and the closing has not.
OF_THE_CONNECTION = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
# The server answered that the statement did nothing and may be tried again.
_ROLLED_BACK = (asyncpg.TransactionRollbackError, asyncpg.InsufficientResourcesError)


def failed(link: str, mechanism: Mechanism, *, definite: bool, detail: str) -> DatabaseFailed:
    """Return the failure; its origin is the service whose database it is."""
    return DatabaseFailed(mechanism, definite, link, caller_of(link), detail[:200])


def commit_unknown(link: str, cause: BaseException) -> DatabaseFailed:
    """Return the failure of a write that may have been committed."""
    detail = f"sent, and its outcome is unknown: {cause!r}"
    return failed(link, Mechanism.COMMIT_UNKNOWN, definite=False, detail=detail)


def statement_failure(
    link: str, error: BaseException, *, closed: bool, definite: bool
) -> DatabaseFailed | None:
    """Return what a failed statement is called; None for an error that is the statement's own.

    ``closed``: the connection is; asyncpg uses ``InterfaceError`` for that and for wrong arguments alike.
    ``definite``: losing the connection undoes the statement, because it is inside a transaction.
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
