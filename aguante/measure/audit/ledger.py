"""The client's ledger, ``requests.jsonl``, as columns. DuckDB reads it in one pass."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import duckdb
import msgspec

from aguante.core.duckdb_paths import literal_path
from aguante.load_protocol.records import RequestRecord
from aguante.plan.plan import Window
from aguante.run_folder.run_log import complete_lines

_DUCKDB_TYPES = {int: "BIGINT", float: "DOUBLE", str: "VARCHAR", bool: "BOOLEAN"}


def load_ledger(connection: duckdb.DuckDBPyConnection, records: Path) -> None:
    """Create ``client.requests`` from a ledger's complete lines; a missing file gives an empty table.

    Raises:
        duckdb.Error: a line is not a RequestRecord.
    """
    connection.execute("CREATE SCHEMA client")
    with readable(records, final=False) as path:
        read_ledger(connection, path).create("client.requests")


def read_ledger(connection: duckdb.DuckDBPyConnection, path: str) -> duckdb.DuckDBPyRelation:
    """The columns of RequestRecord. The file is read when the relation is used, and must exist until then."""
    columns = {f.name: _DUCKDB_TYPES[f.type] for f in msgspec.structs.fields(RequestRecord)}
    return connection.read_json(literal_path(path), columns=columns, format="newline_delimited")


def with_phases(rows: duckdb.DuckDBPyRelation, phases: Sequence[Window]) -> duckdb.DuckDBPyRelation:
    """Add the phase of the intended start (empty: none), the seconds since it began, and the request's end."""
    return rows.project(
        f"*, {_of_phase(phases, lambda each: _text(each.phase), _text(''))} AS phase,"
        f" intended_s - {_of_phase(phases, lambda each: _double(each.start_s), 'NULL')} AS since_phase_s,"
        " intended_s + latency_ms / 1000 AS ended_s"
    )


def _of_phase(phases: Sequence[Window], value: Callable[[Window], str], otherwise: str) -> str:
    """An SQL expression with a value of the phase in which a request was meant to start."""
    cases = (
        f"WHEN intended_s >= {_double(each.start_s)} AND intended_s < {_double(each.end_s)} THEN {value(each)}"
        for each in phases
    )
    return f"CASE {' '.join(cases)} ELSE {otherwise} END" if phases else otherwise


def _double(value: float) -> str:
    """A DOUBLE literal; a DECIMAL literal could round the value."""
    return f"'{value!r}'::DOUBLE"


def _text(value: str) -> str:
    doubled = value.replace("'", "''")
    return f"'{doubled}'"


@contextlib.contextmanager
def readable(records: Path | None, *, final: bool) -> Iterator[str]:
    """The records themselves if their writer ended normally, else a copy up to the last line end."""
    if records and final and _ends_a_line(records):
        yield str(records)
        return
    with lines_as_file(complete_lines(records) if records and records.exists() else b"") as path:
        yield path


@contextlib.contextmanager
def lines_as_file(lines: bytes) -> Iterator[str]:
    """A temporary file with these lines."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.write(lines)
        file.flush()
        yield file.name


def _ends_a_line(path: Path) -> bool:
    """Whether the last byte is a line end."""
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
    except OSError:
        return False
