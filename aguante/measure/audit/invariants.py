"""Checks safety invariants on the final tables and the client's ledger. Each row of a query is a violation."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import duckdb

from aguante.core.duckdb_paths import literal_path
from aguante.measure.measures import InvariantMeasure
from aguante.measure.run_evidence import RunEvidence
from aguante.run_folder.folder import RunFolder
from aguante.testbed.testbed_spec import InvariantSpec

ROWS_KEPT = 20
_EXPOSURE = re.compile(r"^--\s*exposure:\s*(.+)$", re.MULTILINE)
_STORY = re.compile(r"^--\s*story:\s*(.+)$", re.MULTILINE)

Schema = dict[str, dict[str, str]]
"""``<database>.<table>`` -> column -> DuckDB type."""


def measure_invariants(
    evidence: RunEvidence, folder: RunFolder, wanted: Iterable[InvariantSpec]
) -> tuple[InvariantMeasure, ...]:
    """Load the tables, one schema per database, and run each query.

    An invariant that needs a missing or unreadable table has an error; it does not hold.
    """
    databases = [database.name for database in evidence.testbed.databases]
    trouble = load_tables(evidence.connection, folder.tables, databases)
    return tuple(check_invariant(evidence.connection, spec, trouble) for spec in wanted)


def load_tables(
    connection: duckdb.DuckDBPyConnection, tables: Path, databases: Iterable[str]
) -> str:
    """Load the output of ``dump_tables``, one schema per database; returns what could not be read, or nothing."""
    for database in databases:
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{database}"')
    try:
        schema: Schema = json.loads((tables / "schema.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return f"tables/schema.json: {error}"
    faults = [_load_table(connection, tables, name, schema[name]) for name in sorted(schema)]
    return "; ".join(fault for fault in faults if fault)


def _load_table(
    connection: duckdb.DuckDBPyConnection, tables: Path, name: str, columns: dict[str, str]
) -> str:
    """Empty, or why the table cannot be read. PostgreSQL's CSV: an unquoted empty field is NULL."""
    try:
        rows = connection.read_csv(
            literal_path(tables / f"{name}.csv"),
            header=True,
            columns=columns,
            auto_detect=False,
            na_values="",
            allow_quoted_nulls=False,
        )
        rows.create(name)
    except duckdb.Error as error:
        return f"tables/{name}.csv: {_first_line(error)}"
    return ""


def check_invariant(
    connection: duckdb.DuckDBPyConnection, spec: InvariantSpec, trouble: str = ""
) -> InvariantMeasure:
    """Run one query. ``trouble`` says what is known to be missing, for the message if the query fails."""
    try:
        text = spec.sql.read_text(encoding="utf-8")
        exposure = _exposure(connection, spec.sql, text)
        violations = connection.sql(text)
        count: int = violations.aggregate("count(*)").fetchall()[0][0]
        # Ordered, so that the rows are the same each time, and because DuckDB 2.0.0 never returns from a bare
        # LIMIT over some joins of hundreds of thousands of rows that match nothing.
        first = violations.project("COLUMNS(*)::VARCHAR").order("ALL").limit(ROWS_KEPT)
        shown = first.fetchall() if count else []  # this runs the query again
        columns = tuple(violations.columns)
    except (OSError, ValueError, duckdb.Error) as error:
        why = "; ".join(part for part in (_first_line(error), trouble) if part)
        return InvariantMeasure(
            name=spec.name, exposure=0, violations=0, columns=(), rows=(), error=why
        )
    return InvariantMeasure(
        name=spec.name,
        exposure=exposure,
        violations=count,
        columns=columns,
        rows=tuple(tuple("" if cell is None else str(cell) for cell in row) for row in shown),
        story=_story(text, exposure, count),
    )


def _story(text: str, exposure: int, violations: int) -> str:
    """The optional comment line ``-- story:`` with its numbers filled in."""
    match = _STORY.search(text)
    if match is None:
        return ""
    story = match[1].replace("{violations}", f"{violations:,}")
    return story.replace("{exposure}", f"{exposure:,}")


def _exposure(connection: duckdb.DuckDBPyConnection, file: Path, text: str) -> int:
    match = _EXPOSURE.search(text)
    if match is None:
        message = f"{file.name}: found no comment line '-- exposure: SELECT ...'; fix: add one"
        raise ValueError(message)
    return int(connection.execute(match[1]).fetchall()[0][0])


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
