"""Writes the final state of every database: one CSV file per table, all tables of a database from one snapshot."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import msgspec

from aguante.testbed.runtime import RunningDatabase

LIMIT_S = 30.0
"""For all tables of all databases."""
SCHEMA_FILE = "schema.json"

Schema = dict[str, dict[str, str]]
"""``<database>.<table>`` -> column -> DuckDB type."""

DUCKDB_TYPES = {
    "int2": "SMALLINT",
    "int4": "INTEGER",
    "int8": "BIGINT",
    "float4": "FLOAT",
    "float8": "DOUBLE",
    "numeric": "DECIMAL(38, 9)",
    "bool": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
}
"""By PostgreSQL's type name; every other type is read as text."""

SNAPSHOT = "_snapshot"
_TAKEN = "SELECT now() AS taken_at"
_COLUMNS = """
SELECT c.table_name, c.column_name, c.udt_name
FROM information_schema.columns AS c
JOIN information_schema.tables AS t USING (table_schema, table_name)
WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'
ORDER BY c.table_name, c.ordinal_position
"""


class DumpError(Exception):
    """A database could not be read, so its invariants cannot be judged. The message names it and the cause."""


async def dump_tables(
    databases: Sequence[RunningDatabase], folder: Path, limit_s: float = LIMIT_S
) -> Schema:
    """Write ``<database>.<table>.csv`` and ``schema.json``.

    Each CSV has a header; NULL is an empty field, an empty text is ``""``. One more file per database,
    ``<database>._snapshot.csv``, has one row: ``taken_at``, the time of the snapshot by the database's own clock.

    Raises:
        DumpError: a database could not be read within the limit.
        OSError: the folder cannot be written.
    """
    schemas = await asyncio.gather(*(_dump(database, folder, limit_s) for database in databases))
    schema: Schema = {name: columns for tables in schemas for name, columns in tables.items()}
    (folder / SCHEMA_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(schema)))
    return schema


async def _dump(database: RunningDatabase, folder: Path, limit_s: float) -> Schema:
    try:
        async with asyncio.timeout(limit_s):
            return await _dump_within(database, folder)
    except TimeoutError as late:
        msg = f"database {database.name} ({database.dsn}) could not be read within {limit_s:g} s"
        raise DumpError(msg) from late
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError) as failure:
        msg = f"database {database.name} ({database.dsn}) could not be read: {failure}"
        raise DumpError(msg) from failure


async def _dump_within(database: RunningDatabase, folder: Path) -> Schema:
    connection = await asyncpg.connect(database.dsn)
    try:
        # One snapshot, so that a row that moves between two tables meanwhile is seen once.
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            tables: Schema = {}
            for table, column, kind in await connection.fetch(_COLUMNS):
                tables.setdefault(table, {})[column] = DUCKDB_TYPES.get(kind, "VARCHAR")
            for table in tables:
                target = folder / f"{database.name}.{table}.csv"
                await connection.copy_from_table(table, output=target, format="csv", header=True)
            target = folder / f"{database.name}.{SNAPSHOT}.csv"
            await connection.copy_from_query(_TAKEN, output=target, format="csv", header=True)
            tables[SNAPSHOT] = {"taken_at": "TIMESTAMPTZ"}
    finally:
        await connection.close()
    return {f"{database.name}.{table}": columns for table, columns in tables.items()}
