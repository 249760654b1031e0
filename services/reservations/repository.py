"""Sagas, their log and the outbox in PostgreSQL: each step of a saga is one statement, hence one trip.

A transition, its row in the log, and for CONFIRMED the notice, are one statement with data-modifying CTEs, so they
commit together or not at all. All methods raise DatabaseFailed. Leases run on the database's clock.
"""

import json
from dataclasses import dataclass

import asyncpg

from services.kit.database.pool import Database
from services.reservations.domain import TERMINAL, Failure, Notice, Order, Saga, State, Trace
from services.shop.budget import LEASE_S

NOTICE_DUE_S = 5
"""How long a notice is left to the saga's owner, who sends it within 2 s, before the worker takes it up."""

LIVE = "state IN ('PENDING', 'RESERVED', 'CHARGED', 'COMPENSATING')"
"""Sagas that need more work: all but domain.TERMINAL."""

HOLDS_KEY = """(state IN ('PENDING', 'RESERVED', 'CHARGED', 'CONFIRMED')
    OR failure_mechanism IN ('sold_out', 'payment_declined'))"""
"""domain.holds_key as SQL; a unique index over it is enforces one saga per idempotency key."""

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS sagas (
    reservation_id text PRIMARY KEY,
    idempotency_key text NOT NULL,
    user_id text NOT NULL,
    event_id text NOT NULL,
    quantity integer NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    lease_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    failure_status integer,
    failure_mechanism text,
    failure_origin text,
    failure_link text,
    failure_detail text,
    refund_due boolean NOT NULL DEFAULT false,
    settled boolean NOT NULL DEFAULT false,
    notification_sent boolean NOT NULL DEFAULT false,
    trace_id text NOT NULL,
    span_id text NOT NULL
);
ALTER TABLE sagas ADD COLUMN IF NOT EXISTS settled boolean NOT NULL DEFAULT false; -- tables of 0.1 lack it
CREATE UNIQUE INDEX IF NOT EXISTS sagas_one_per_key ON sagas (idempotency_key) WHERE {HOLDS_KEY};
CREATE INDEX IF NOT EXISTS sagas_live ON sagas (lease_until) WHERE {LIVE};

CREATE TABLE IF NOT EXISTS saga_log (
    reservation_id text NOT NULL,
    version integer NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    from_state text,
    to_state text NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (reservation_id, version)
);

CREATE TABLE IF NOT EXISTS outbox (
    reservation_id text PRIMARY KEY,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    delivered_at timestamptz
);
CREATE INDEX IF NOT EXISTS outbox_undelivered ON outbox (due_at) WHERE delivered_at IS NULL;
"""

_COLUMNS = """reservation_id, idempotency_key, user_id, event_id, quantity, state, version, refund_due,
settled, notification_sent, failure_status, failure_mechanism, failure_origin, failure_link, failure_detail,
trace_id, span_id"""

_BEGIN = f"""
WITH placed AS (
    INSERT INTO sagas (reservation_id, idempotency_key, user_id, event_id, quantity, state, version,
        trace_id, span_id, lease_until)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + interval '{LEASE_S} s')
    ON CONFLICT DO NOTHING RETURNING reservation_id, version, state),
logged AS (
    INSERT INTO saga_log (reservation_id, version, to_state, reason)
    SELECT reservation_id, version, state, 'accepted' FROM placed)
SELECT reservation_id FROM placed"""  # noqa: S608 - constants of this module

_HOLDER = f"""
SELECT {_COLUMNS} FROM sagas WHERE reservation_id = $1 OR (idempotency_key = $2 AND {HOLDS_KEY})
ORDER BY reservation_id = $1 DESC LIMIT 1"""  # noqa: S608

_COMMIT = f"""
WITH moved AS (
    UPDATE sagas SET state = $4, version = version + 1, updated_at = now(), refund_due = $5,
        settled = $6, failure_status = $7, failure_mechanism = $8, failure_origin = $9, failure_link = $10,
        failure_detail = $11, lease_until = CASE WHEN $12 THEN NULL ELSE now() + interval '{LEASE_S} s' END
    WHERE reservation_id = $1 AND state = $2 AND version = $3
    RETURNING reservation_id, version, state),
logged AS (
    INSERT INTO saga_log (reservation_id, version, from_state, to_state, reason)
    SELECT reservation_id, version, $2, state, $13 FROM moved),
queued AS (
    INSERT INTO outbox (reservation_id, payload, due_at)
    SELECT reservation_id, $14::jsonb, now() + interval '{NOTICE_DUE_S} s' FROM moved
    WHERE $14::jsonb IS NOT NULL)
SELECT version FROM moved"""  # noqa: S608

_FIND = f"""
SELECT {_COLUMNS}, outbox.delivered_at IS NOT NULL AS notice_delivered
FROM sagas LEFT JOIN outbox USING (reservation_id) WHERE reservation_id = $1"""  # noqa: S608

_CLAIM_SAGAS = f"""
WITH expired AS (
    SELECT reservation_id AS id FROM sagas WHERE {LIVE} AND lease_until < now()
    ORDER BY lease_until LIMIT $1 FOR UPDATE SKIP LOCKED),
claimed AS (
    UPDATE sagas SET version = version + 1, lease_until = now() + interval '{LEASE_S} s'
    FROM expired WHERE reservation_id = expired.id RETURNING {_COLUMNS}),
logged AS (
    INSERT INTO saga_log (reservation_id, version, from_state, to_state, reason)
    SELECT reservation_id, version, state, state, 'lease taken over' FROM claimed)
SELECT {_COLUMNS} FROM claimed"""  # noqa: S608

_CLAIM_NOTICES = f"""
WITH due AS (
    SELECT reservation_id AS id FROM outbox WHERE delivered_at IS NULL AND due_at < now()
    ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
UPDATE outbox SET attempts = attempts + 1, due_at = now() + interval '{NOTICE_DUE_S} s'
FROM due WHERE reservation_id = due.id RETURNING payload"""  # noqa: S608

_MARK_DELIVERED = """
UPDATE outbox SET delivered_at = now() WHERE reservation_id = ANY($1::text[]) AND delivered_at IS NULL"""

_MARK_SENT_INLINE = f"""
WITH delivered AS ({_MARK_DELIVERED})
UPDATE sagas SET notification_sent = true WHERE reservation_id = ANY($1::text[])"""  # noqa: S608

STATEMENTS = (
    *("INSERT saga", "UPDATE saga", "SELECT saga", "SELECT key holder"),
    *("UPDATE expired sagas", "UPDATE due notices", "UPDATE notices", "UPDATE sent notices"),
)
BEGIN_TRIES_MAX = 3


@dataclass(frozen=True, slots=True)
class Record:
    """A saga as it is stored, and whether its notice has been delivered since."""

    saga: Saga
    notice_delivered: bool


class Sagas:
    """All sagas, and the notices of the confirmed ones."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, saga: Saga) -> Saga | None:
        """Store a new saga; return instead the one that has its id, or else its idempotency key.

        Raises RuntimeError if the key is freed and taken again and again between two of our statements.
        """
        order, trace = saga.order, saga.trace
        args = (
            *(saga.reservation_id, saga.idempotency_key),
            *(order.user_id, order.event_id, order.quantity),
            *(saga.state, saga.version, trace.trace_id, trace.span_id),
        )
        for _ in range(BEGIN_TRIES_MAX):
            if await self._database.write("INSERT saga", _BEGIN, *args):
                return None
            holder = await self._database.fetchrow("SELECT key holder", _HOLDER, *args[:2])
            if holder:
                return _saga(holder)
        msg = (
            f"idempotency key {saga.idempotency_key!r} was freed and taken {BEGIN_TRIES_MAX} times"
        )
        raise RuntimeError(msg)

    async def commit(self, before: Saga, after: Saga, reason: str) -> bool:
        """Replace `before` by `after` if `before` is still what is stored; False: it is not."""
        row = await self._database.write(
            "UPDATE saga", _COMMIT,
            *(before.reservation_id, before.state, before.version),
            *(after.state, after.refund_due, after.settled), *_failure_columns(after.failure),
            after.state in TERMINAL, reason, _payload(after),
        )  # fmt: skip
        return row is not None

    async def find(self, reservation_id: str) -> Record | None:
        """Read one saga, and whether its notice has been delivered."""
        row = await self._database.fetchrow("SELECT saga", _FIND, reservation_id)
        return Record(_saga(row), row["notice_delivered"]) if row else None

    async def claim_expired(self, limit: int) -> list[Saga]:
        """Take over up to `limit` live sagas whose lease has run out; each gets a new version."""
        rows = await self._database.fetch("UPDATE expired sagas", _CLAIM_SAGAS, limit)
        return [_saga(row) for row in rows]

    async def claim_due(self, limit: int) -> list[Notice]:
        """Take up to `limit` due notices; each becomes due again unless it is marked as delivered."""
        rows = await self._database.fetch("UPDATE due notices", _CLAIM_NOTICES, limit)
        return [_notice(row["payload"]) for row in rows]

    async def mark_delivered(self, reservation_ids: list[str]) -> None:
        """Record that these notices were delivered after the response."""
        await self._database.write("UPDATE notices", _MARK_DELIVERED, reservation_ids)

    async def mark_sent_inline(self, reservation_ids: list[str]) -> None:
        """Record that these notices were sent before the response, which said so."""
        await self._database.write("UPDATE sent notices", _MARK_SENT_INLINE, reservation_ids)


def _failure_columns(failure: Failure | None) -> tuple[int | str | None, ...]:
    if failure is None:
        return (None,) * 5
    return (failure.status, failure.mechanism, failure.origin, failure.link, failure.detail)


def _payload(saga: Saga) -> str | None:
    """Return the notice to queue with this state; None for all but CONFIRMED."""
    if saga.state is not State.CONFIRMED:
        return None
    order, trace = saga.order, saga.trace
    return json.dumps(
        {
            "reservation_id": saga.reservation_id,
            "user_id": order.user_id,
            "event_id": order.event_id,
            "quantity": order.quantity,
            "trace_id": trace.trace_id,
            "span_id": trace.span_id,
        }
    )


def _notice(payload: str) -> Notice:
    stored = json.loads(payload)
    order = Order(stored["user_id"], stored["event_id"], stored["quantity"])
    return Notice(stored["reservation_id"], order, Trace(stored["trace_id"], stored["span_id"]))


def _saga(row: asyncpg.Record) -> Saga:
    failure = None
    if row["failure_mechanism"] is not None:
        failure = Failure(
            *(row["failure_status"], row["failure_mechanism"], row["failure_origin"]),
            *(row["failure_link"], row["failure_detail"]),
        )
    return Saga(
        row["reservation_id"],
        row["idempotency_key"],
        Order(row["user_id"], row["event_id"], row["quantity"]),
        State(row["state"]),
        row["version"],
        failure,
        row["refund_due"],
        row["settled"],
        row["notification_sent"],
        Trace(row["trace_id"], row["span_id"]),
    )
