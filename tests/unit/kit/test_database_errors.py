import asyncpg
import pytest

from services.kit.database.errors import OF_THE_CONNECTION, statement_failure
from services.kit.failures.problem import Mechanism


@pytest.mark.parametrize("in_transaction", [True, False])
def test_a_connection_caught_while_closing_is_database_unavailable(*, in_transaction: bool) -> None:
    """asyncpg's internal error for a session that has just been ended is no fault of ours, hence no 500."""
    error = asyncpg.InternalClientError(
        "cannot switch to state 15; another operation (2) is in progress"
    )
    assert isinstance(error, OF_THE_CONNECTION)
    failure = statement_failure("inventory-db", error, closed=False, definite=in_transaction)
    assert failure is not None
    assert (failure.mechanism, failure.definite) == (
        Mechanism.DATABASE_UNAVAILABLE,
        in_transaction,
    )
