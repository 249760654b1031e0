"""Opens a run folder as tables in an in-memory DuckDB; everything else in ``measure/`` asks these.

Tables: ``requests`` (the client's ledger with phase and end of each answer), ``spans`` and
``span_events`` (seconds since t0), ``attempts`` (every attempt on every link, as its caller saw it),
``client.requests`` (the ledger for the invariants).
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from aguante.measure.facts import EvidenceError, RunFacts, read_facts, whole_lines
from aguante.measure.foreign import adopt
from aguante.plan import Plan
from aguante.records import RequestRecord
from aguante.runfolder import RunFolder
from aguante.testbed import TestbedSpec

_DUCKDB_TYPES = {int: "BIGINT", float: "DOUBLE", str: "VARCHAR", bool: "BOOLEAN"}
Row = tuple[Any, ...]

MEMORY_LIMIT = "1GB"
"""Of DuckDB; what does not fit goes through its temporary files."""

_SPAN_COLUMNS = """
    CREATE TABLE raw_spans (
        trace_id VARCHAR, span_id VARCHAR, parent_id VARCHAR, service VARCHAR, instance VARCHAR,
        name VARCHAR, kind VARCHAR, start_ns BIGINT, end_ns BIGINT, status VARCHAR,
        error_type VARCHAR, link VARCHAR, attempt INTEGER, http_status INTEGER, route VARCHAR,
        origin VARCHAR, error_link VARCHAR, reservation_id VARCHAR, run_id VARCHAR,
        experiment VARCHAR, phase VARCHAR, db_system VARCHAR, events VARCHAR, links VARCHAR)
"""

_REQUESTS = """
    CREATE TABLE requests AS
    SELECT r.*, coalesce(w.phase, '') AS phase, intended_s - w.start_s AS since_phase_s,
           intended_s + latency_ms / 1000 AS ended_s
    FROM client.requests AS r
    LEFT JOIN phases AS w ON r.intended_s >= w.start_s AND r.intended_s < w.end_s
"""

_ASKED = """
    CREATE MACRO asked(wanted_phase, wanted_operation, from_s, until_s) AS TABLE
    SELECT r.* FROM requests AS r
    WHERE r.phase = wanted_phase
      AND (wanted_operation IS NULL OR r.operation = wanted_operation)
      AND r.since_phase_s >= from_s AND (until_s IS NULL OR r.since_phase_s < until_s)
"""

_SPANS = """
    CREATE TABLE spans AS
    SELECT * EXCLUDE (link, error_type, phase, kind),
           coalesce(link, '') AS link, coalesce(error_type, '') AS error_type,
           coalesce(phase, '') AS phase, lower(kind) AS kind,
           (start_ns - $epoch_ns::BIGINT) / 1e9 AS start_s, (end_ns - start_ns) / 1e6 AS ms
    FROM raw_spans
"""

_SPAN_EVENTS = """
    CREATE TABLE span_events AS
    SELECT trace_id, span_id, service, instance, phase, e.name AS name,
           (e.at_ns - $epoch_ns::BIGINT) / 1e9 AS at_s,
           coalesce(e.attributes ->> '$."aguante.link"', '') AS link,
           coalesce(e.attributes ->> '$."error.type"', '') AS error_type,
           coalesce(e.attributes ->> '$."breaker.from"', '') AS from_state,
           coalesce(e.attributes ->> '$."breaker.to"', '') AS to_state
    FROM (
        SELECT trace_id, span_id, service, instance, phase, unnest(from_json(events,
            '[{"name":"VARCHAR","at_ns":"BIGINT","attributes":"JSON"}]')) AS e
        FROM spans WHERE events IS NOT NULL AND events <> '' AND events <> '[]'
    )
"""

_ATTEMPTS = """
    CREATE VIEW attempts AS
    SELECT link, phase, start_s, ms, error_type, coalesce(attempt, 0) AS attempt, db_system
    FROM spans WHERE kind = 'client' AND link <> ''
    UNION ALL
    SELECT e.link, phase, started_s, latency_ms - (started_s - intended_s) * 1000,
           CASE WHEN origin = 'client' THEN mechanism ELSE '' END, 1, NULL
    FROM requests, entry AS e
"""


@dataclass(frozen=True)
class Evidence:
    """A run folder, opened. Asked with whole SQL statements and named parameters."""

    connection: duckdb.DuckDBPyConnection
    plan: Plan
    testbed: TestbedSpec
    facts: RunFacts

    def rows(self, sql: str, **parameters: object) -> list[Row]:
        """All rows of a query; parameters as ``$name``."""
        return self.connection.execute(sql, parameters).fetchall()

    def row(self, sql: str, **parameters: object) -> Row:
        """The one row of an aggregate."""
        return self.rows(sql, **parameters)[0]

    @property
    def first_fault_s(self) -> float | None:
        """When the first fault was really applied, seconds since t0; None: none was."""
        times = [self.facts.applied_s(fault.id) for fault in self.plan.faults]
        return min((each for each in times if each is not None), default=None)

    @property
    def last_undo_s(self) -> float | None:
        """When the last fault was really undone, seconds since t0; None: one is still there, or none was."""
        times = [self.facts.undone_s(fault.id) for fault in self.plan.faults]
        known = [each for each in times if each is not None]
        return max(known) if known and len(known) == len(times) else None

    @property
    def load_end_s(self) -> float:
        """When load ended, seconds since t0: as planned, or when the run was stopped."""
        stopped = self.facts.stopped
        return min(self.plan.end_s, stopped.at_s) if stopped else self.plan.end_s


def open_evidence(folder: RunFolder, plan: Plan, testbed: TestbedSpec) -> Evidence:
    """Read a run folder into memory. Missing files are empty tables: no data is a result too.

    Raises:
        EvidenceError: a file is there and cannot be read.
    """
    facts = read_facts(folder.events)
    connection = duckdb.connect(config={"memory_limit": MEMORY_LIMIT})
    evidence = Evidence(connection, plan, testbed, facts)
    try:
        load_ledger(connection, folder.records, final=facts.load is not None)
        _load_plan(evidence)
        _load_spans(evidence, folder.spans)
        if not testbed.problem_json:
            adopt(connection, testbed)
    except duckdb.Error as error:
        connection.close()
        message = f"{folder.root}: the evidence cannot be read: {error}"
        raise EvidenceError(message) from error
    return evidence


def load_ledger(
    connection: duckdb.DuckDBPyConnection, records: Path, *, final: bool = False
) -> None:
    """Make ``client.requests`` of a ledger's whole lines; a file that is not there gives an empty table.

    Raises:
        duckdb.Error: a line is no RequestRecord.
    """
    columns = {f.name: _DUCKDB_TYPES[f.type] for f in msgspec.structs.fields(RequestRecord)}
    connection.execute("CREATE SCHEMA client")
    with _readable(records, final=final) as path:
        rows = connection.read_json(path, columns=columns, format="newline_delimited")
        rows.create("client.requests")


@contextlib.contextmanager
def _readable(records: Path, *, final: bool) -> Iterator[str]:
    """The records themselves when their writer has ended well; else a copy up to the last line end."""
    if final and _ends_a_line(records):
        yield str(records)
        return
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as whole:
        if records.exists():
            whole.write(whole_lines(records))
            whole.flush()
        yield whole.name


def _ends_a_line(path: Path) -> bool:
    """Whether the last byte is a line end."""
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
    except OSError:
        return False


def _load_plan(evidence: Evidence) -> None:
    connection = evidence.connection
    connection.execute("CREATE TABLE phases (phase VARCHAR, start_s DOUBLE, end_s DOUBLE)")
    windows = [(w.phase, w.start_s, w.end_s) for w in evidence.plan.phases]
    connection.executemany("INSERT INTO phases VALUES (?, ?, ?)", windows)
    connection.execute(
        "CREATE TABLE entry AS SELECT $link AS link", {"link": evidence.testbed.entry}
    )
    connection.execute(_REQUESTS)
    connection.execute(_ASKED)


def _load_spans(evidence: Evidence, spans: Path) -> None:
    connection = evidence.connection
    connection.execute(_SPAN_COLUMNS)
    if spans.exists():
        file = {"file": str(spans)}
        connection.execute("INSERT INTO raw_spans BY NAME SELECT * FROM read_parquet($file)", file)
    epoch = {"epoch_ns": evidence.facts.epoch_ns}
    connection.execute(_SPANS, epoch)
    connection.execute("DROP TABLE raw_spans")
    connection.execute(_SPAN_EVENTS, epoch)
    connection.execute(_ATTEMPTS)
