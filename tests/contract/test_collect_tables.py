"""Table dumps and the settle query against a real PostgreSQL, read back by DuckDB."""

import json
import time
from datetime import datetime
from pathlib import Path

import asyncpg
import duckdb
import pytest

from aguante.collect.database_dump import DumpError, dump_tables
from aguante.collect.settle import settle
from aguante.testbed.runtime import RunningDatabase, Testbed
from aguante.testbed.testbed_spec import SettleSpec

DDL = """
CREATE TABLE sagas (
    reservation_id text PRIMARY KEY, failure_mechanism text, quantity int, amount_cents bigint,
    notification_sent boolean, updated_at timestamptz, state text);
CREATE TABLE outbox (reservation_id text, payload jsonb);
INSERT INTO sagas VALUES
    ('a', NULL, 2, 9000000000, true, '2026-01-02 03:04:05.678+02', 'CONFIRMED'),
    ('b', '', NULL, NULL, false, NULL, 'PENDING'),
    ('c "x", y', E'two\\nlines', 1, 1, NULL, '2026-01-02 00:00:00+00', 'COMPENSATED');
"""


@pytest.fixture
async def filled(database: str) -> str:
    connection = await asyncpg.connect(database)
    await connection.execute(DDL)
    await connection.close()
    return database


def testbed(dsn: str) -> Testbed:
    return Testbed(
        id="t",
        runtime="native",
        policy="default",
        gateway="",
        toxiproxy="",
        services=(),
        links=(),
        databases=(RunningDatabase(name="reservations", dsn=dsn),),
        servers={},
        state=Path(),
    )


testbed.__test__ = False  # type: ignore[attr-defined]  # it only begins like one


async def test_tables_survive_the_way_to_duckdb(tmp_path: Path, filled: str) -> None:
    """NULL and empty text stay two things; commas, quotes, newlines, big numbers, times
    and booleans too; and when they were read is told beside them."""
    schema = await dump_tables(testbed(filled).databases, tmp_path)
    assert json.loads((tmp_path / "schema.json").read_text()) == schema
    assert schema["reservations.outbox"] == {"reservation_id": "VARCHAR", "payload": "VARCHAR"}
    assert schema["reservations.sagas"] == {
        "reservation_id": "VARCHAR",
        "failure_mechanism": "VARCHAR",
        "quantity": "INTEGER",
        "amount_cents": "BIGINT",
        "notification_sent": "BOOLEAN",
        "updated_at": "TIMESTAMPTZ",
        "state": "VARCHAR",
    }
    assert schema["reservations._snapshot"] == {"taken_at": "TIMESTAMPTZ"}
    taken = (tmp_path / "reservations._snapshot.csv").read_text().splitlines()
    assert taken[0] == "taken_at"
    assert abs(datetime.fromisoformat(taken[1]).timestamp() - time.time()) < 60
    with duckdb.connect() as db:
        table = db.read_csv(
            str(tmp_path / "reservations.sagas.csv"),
            columns=schema["reservations.sagas"],
            header=True,
            delimiter=",",
            quotechar='"',
            escapechar='"',
            na_values="",
            allow_quoted_nulls=False,
        )
        rows = table.project(
            "reservation_id, failure_mechanism, quantity, amount_cents, notification_sent, "
            "epoch_ms(updated_at)"
        ).fetchall()
    assert rows == [
        ("a", None, 2, 9000000000, True, 1767315845678),
        ("b", "", None, None, False, None),
        ('c "x", y', "two\nlines", 1, 1, None, 1767312000000),
    ]


async def test_a_database_that_is_away_is_an_error_that_names_it(tmp_path: Path) -> None:
    """Missing tables must never look like empty ones."""
    with pytest.raises(DumpError, match=r"database reservations .* could not be read"):
        await dump_tables(testbed("postgresql://x@127.0.0.1:1/x").databases, tmp_path)
    assert not (tmp_path / "schema.json").exists()


async def test_a_locked_table_ends_at_the_limit(tmp_path: Path, filled: str) -> None:
    """Reading a database never hangs."""
    blocker = await asyncpg.connect(filled)
    try:
        await blocker.execute("BEGIN; LOCK TABLE sagas IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DumpError, match=r"could not be read within 0\.5 s"):
            await dump_tables(testbed(filled).databases, tmp_path, limit_s=0.5)
    finally:
        await blocker.close()


async def test_the_settle_query_counts_unfinished_work(filled: str) -> None:
    """With an unfinished saga it is not settled; once the saga has ended, it is settled after two reads."""
    query = Path(__file__).parents[2] / "invariants" / "unsettled.sql"
    spec = SettleSpec(within_s=0.5, database="reservations", query=query)
    result = await settle(spec, testbed(filled))
    assert (result.settled, result.unsettled) == (False, 1)
    connection = await asyncpg.connect(filled)
    await connection.execute("UPDATE sagas SET state = 'ABORTED' WHERE reservation_id = 'b'")
    await connection.close()
    result = await settle(spec.model_copy(update={"within_s": 5.0}), testbed(filled))
    assert (result.settled, result.unsettled) == (True, 0)
    assert 1.0 <= result.took_s < 4.0


async def test_a_database_that_is_away_does_not_settle() -> None:
    """Unknown is not settled."""
    query = Path(__file__).parents[2] / "invariants" / "unsettled.sql"
    spec = SettleSpec(within_s=0.1, database="reservations", query=query)
    result = await settle(spec, testbed("postgresql://x@127.0.0.1:1/x"))
    assert (result.settled, result.unsettled) == (False, None)
