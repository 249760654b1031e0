"""Charges in PostgreSQL, one trip for a payment and one for a refund. All methods raise DatabaseFailed.

The primary key makes them idempotent: the first statement that writes a reservation's row decides what it is, and
all others read it.
"""

import asyncpg

from services.kit.database.pool import Database
from services.payments.domain import Charge, ChargeState

SCHEMA = """
CREATE TABLE IF NOT EXISTS charges (
    reservation_id text PRIMARY KEY,
    user_id text,
    amount_cents bigint,
    state text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
"""

STATEMENTS = ("INSERT charge", "SELECT charge", "UPSERT refund")

_READ = "SELECT reservation_id, user_id, amount_cents, state FROM charges WHERE reservation_id = $1"

_STORE = f"""
WITH placed AS (
    INSERT INTO charges (reservation_id, user_id, amount_cents, state) VALUES ($1, $2, $3, $4)
    ON CONFLICT DO NOTHING RETURNING reservation_id, user_id, amount_cents, state)
SELECT * FROM placed UNION ALL ({_READ})"""  # noqa: S608 - a constant of this module

# The CASE is domain.after_refund in one atomic step; the contract tests hold the two against each other.
_REFUND = """
INSERT INTO charges (reservation_id, state) VALUES ($1, 'VOIDED')
ON CONFLICT (reservation_id) DO UPDATE SET updated_at = now(),
    state = CASE charges.state WHEN 'CAPTURED' THEN 'REFUNDED' ELSE charges.state END
RETURNING state"""


class Charges:
    """The charges of all reservations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def store(self, charge: Charge) -> Charge:
        """Store `charge` unless its reservation has one already; return the one that is stored."""
        args = (charge.reservation_id, charge.user_id, charge.amount_cents, charge.state)
        row = await self._database.write("INSERT charge", _STORE, *args)
        if row is None:  # its writer committed after our statement had taken its snapshot
            row = await self._database.fetchrow("SELECT charge", _READ, charge.reservation_id)
        assert row is not None  # noqa: S101 - a charge is never deleted
        return _charge(row)

    async def refund(self, reservation_id: str) -> ChargeState:
        """Give the money back, or leave a tombstone where there is none; return the state left behind."""
        row = await self._database.write("UPSERT refund", _REFUND, reservation_id)
        assert row is not None  # noqa: S101 - an upsert returns its row
        return ChargeState(row["state"])

    async def find(self, reservation_id: str) -> Charge | None:
        """Read one charge."""
        row = await self._database.fetchrow("SELECT charge", _READ, reservation_id)
        return _charge(row) if row else None


def _charge(row: asyncpg.Record) -> Charge:
    state = ChargeState(row["state"])
    return Charge(row["reservation_id"], row["user_id"], row["amount_cents"], state)
