"""A small shop in DuckDB in which every invariant holds and is tested, for tests that damage one thing."""

import duckdb
import msgspec

from aguante.load_protocol.records import RequestRecord
from aguante.run_folder.folder import RunFolder
from aguante.testbed.testbed_spec import TestbedSpec

TABLES = """
CREATE SCHEMA reservations; CREATE SCHEMA inventory; CREATE SCHEMA payments; CREATE SCHEMA client;
CREATE TABLE reservations._snapshot (taken_at TIMESTAMPTZ);
CREATE TABLE inventory._snapshot (taken_at TIMESTAMPTZ);
CREATE TABLE payments._snapshot (taken_at TIMESTAMPTZ);
CREATE TABLE reservations.sagas (
    reservation_id VARCHAR, idempotency_key VARCHAR, user_id VARCHAR, event_id VARCHAR, quantity INTEGER,
    state VARCHAR, version INTEGER, lease_until TIMESTAMPTZ, created_at TIMESTAMPTZ, updated_at TIMESTAMPTZ,
    failure_status INTEGER, failure_mechanism VARCHAR, failure_origin VARCHAR, failure_link VARCHAR,
    notification_sent BOOLEAN, trace_id VARCHAR);
CREATE TABLE reservations.saga_log (
    reservation_id VARCHAR, version INTEGER, "at" TIMESTAMPTZ, from_state VARCHAR, to_state VARCHAR, reason VARCHAR);
CREATE TABLE reservations.outbox (
    reservation_id VARCHAR, payload VARCHAR, created_at TIMESTAMPTZ, attempts INTEGER, delivered_at TIMESTAMPTZ);
CREATE TABLE inventory.events (event_id VARCHAR, capacity INTEGER, available INTEGER);
CREATE TABLE inventory.allocations (
    reservation_id VARCHAR, event_id VARCHAR, quantity INTEGER, state VARCHAR, updated_at TIMESTAMPTZ);
CREATE TABLE payments.charges (
    reservation_id VARCHAR, user_id VARCHAR, amount_cents BIGINT, state VARCHAR, updated_at TIMESTAMPTZ);
CREATE TABLE client.requests (
    seq BIGINT, operation VARCHAR, status BIGINT, mechanism VARCHAR, definite BOOLEAN,
    idempotency_key VARCHAR, reservation_id VARCHAR, trace_id VARCHAR);
"""

GOOD = """
INSERT INTO reservations._snapshot VALUES ('2026-01-02 12:10:00+00');
INSERT INTO inventory._snapshot VALUES ('2026-01-02 12:09:59.9+00');
INSERT INTO payments._snapshot VALUES ('2026-01-02 12:09:59.9+00');
INSERT INTO reservations.sagas BY NAME SELECT * FROM (VALUES
    ('good', 'key-1', 'ann', 2, 'CONFIRMED', 4, NULL, true),
    ('late', 'key-2', 'bob', 1, 'CONFIRMED', 5, NULL, false),
    ('back', 'key-3', 'cid', 1, 'COMPENSATED', 4, NULL, false),
    ('full', 'key-4', 'dan', 9, 'ABORTED', 2, NULL, false),
    ('live', 'key-5', 'eve', 1, 'PENDING', 1, '2026-01-02 12:10:09+00', false)
    ) AS s(reservation_id, idempotency_key, user_id, quantity, state, version, lease_until, notification_sent);
UPDATE reservations.sagas SET event_id = 'concert', lease_until = lease_until::TIMESTAMPTZ;
INSERT INTO reservations.saga_log BY NAME SELECT *, '2026-01-02 12:00:00+00'::TIMESTAMPTZ AS "at" FROM (VALUES
    ('good', 1, NULL, 'PENDING', 'accepted'),
    ('good', 2, 'PENDING', 'RESERVED', 'seats reserved'),
    ('good', 3, 'RESERVED', 'CHARGED', 'payment captured'),
    ('good', 4, 'CHARGED', 'CONFIRMED', 'confirmed'),
    ('late', 1, NULL, 'PENDING', 'accepted'),
    ('late', 2, 'PENDING', 'RESERVED', 'seats reserved'),
    ('late', 3, 'RESERVED', 'CHARGED', 'payment captured'),
    ('late', 4, 'CHARGED', 'CHARGED', 'lease taken over'),
    ('late', 5, 'CHARGED', 'CONFIRMED', 'owner lost after payment'),
    ('back', 1, NULL, 'PENDING', 'accepted'),
    ('back', 2, 'PENDING', 'RESERVED', 'seats reserved'),
    ('back', 3, 'RESERVED', 'COMPENSATING', 'payment unknown'),
    ('back', 4, 'COMPENSATING', 'COMPENSATED', 'everything given back'),
    ('full', 1, NULL, 'PENDING', 'accepted'),
    ('full', 2, 'PENDING', 'ABORTED', 'seats refused'),
    ('live', 1, NULL, 'PENDING', 'accepted')
    ) AS l(reservation_id, version, from_state, to_state, reason);
INSERT INTO reservations.outbox BY NAME SELECT * FROM (VALUES
    ('good', 0, '2026-01-02 12:00:01+00'::TIMESTAMPTZ), ('late', 2, NULL)
    ) AS o(reservation_id, attempts, delivered_at);
INSERT INTO inventory.events VALUES ('concert', 10, 7), ('empty', 5, 5);
INSERT INTO inventory.allocations BY NAME SELECT * FROM (VALUES
    ('good', 'concert', 2, 'ALLOCATED'), ('late', 'concert', 1, 'ALLOCATED'),
    ('back', 'concert', 1, 'RELEASED'), ('never', NULL, NULL, 'VOIDED')
    ) AS a(reservation_id, event_id, quantity, state);
INSERT INTO payments.charges BY NAME SELECT * FROM (VALUES
    ('good', 'ann', 5000, 'CAPTURED'), ('late', 'bob', 2500, 'CAPTURED'),
    ('back', 'cid', 2500, 'REFUNDED'), ('never', NULL, NULL, 'VOIDED'), ('poor', 'declined-x', 2500, 'DECLINED')
    ) AS c(reservation_id, user_id, amount_cents, state);
INSERT INTO client.requests BY NAME SELECT * FROM (VALUES
    (0, 'reserve', 200, '', false, 'key-1', 'good'),
    (1, 'reserve', 503, 'disconnected', false, 'key-2', 'late'),
    (2, 'reserve', 504, 'timeout', true, 'key-3', 'back'),
    (3, 'reserve', 429, 'semaphore_full', true, 'key-1', ''),
    (4, 'reserve', 429, 'semaphore_full', true, 'key-9', ''),
    (5, 'read_event', 503, 'breaker_open', true, '', '')
    ) AS r(seq, operation, status, mechanism, definite, idempotency_key, reservation_id);
"""


def shop_in_order() -> duckdb.DuckDBPyConnection:
    """Five reservations: confirmed, confirmed by recovery, compensated, sold out, and pending."""
    connection = duckdb.connect()
    connection.execute(TABLES)
    connection.execute(GOOD)
    return connection


def record(db: duckdb.DuckDBPyConnection, shop: TestbedSpec, folder: RunFolder) -> RunFolder:
    """Write a shop and its ledger as a run records them."""
    folder.testbed.write_text(shop.model_dump_json())
    _record_tables(db, folder)
    names = (
        "seq",
        "operation",
        "status",
        "mechanism",
        "definite",
        "idempotency_key",
        "reservation_id",
    )
    rows = db.execute(f"SELECT {', '.join(names)} FROM client.requests").fetchall()  # noqa: S608
    with folder.records.open("wb") as file:
        for row in rows:
            values = dict(zip(names, row, strict=True))
            told = RequestRecord(intended_s=0, started_s=0, latency_ms=1, **values)
            file.write(msgspec.json.encode(told) + b"\n")
    return folder


def _record_tables(db: duckdb.DuckDBPyConnection, folder: RunFolder) -> None:
    schema: dict[str, dict[str, str]] = {}
    columns = """SELECT schema_name || '.' || table_name, column_name, data_type FROM duckdb_columns()
        WHERE NOT internal AND schema_name <> 'client' ORDER BY column_index"""
    for table, column, kind in db.execute(columns).fetchall():
        kinds = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ"}
        schema.setdefault(table, {})[column] = kinds.get(kind, kind)
    for table in schema:
        db.table(table).write_csv(str(folder.tables / f"{table}.csv"))
    (folder.tables / "schema.json").write_bytes(msgspec.json.encode(schema))
