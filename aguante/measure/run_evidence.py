"""Opens a run folder as tables in an in-memory DuckDB; everything else in ``measure/`` queries these.

Tables: ``requests`` (the client's ledger with phase and end of each response), ``spans`` and
``span_events`` (seconds since t0), ``traces`` (how many spans each has), ``attempts`` (every attempt on
every link, as its caller saw it), ``client.requests`` (the ledger for the invariants).
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import msgspec

from aguante.collect.promql_samples import read_promql
from aguante.collect.span_decoder import COLUMNS
from aguante.core.duckdb_paths import literal_path
from aguante.expectations.evidence import LoadMeasure, PromqlResult, Row
from aguante.measure.achieved_load import measure_load
from aguante.measure.audit.ledger import read_ledger, readable, with_phases
from aguante.measure.foreign_attribution import attribute_from_spans
from aguante.plan.plan import Plan
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.run_log import EvidenceError, RunLog, read_run_log
from aguante.testbed.testbed_spec import TestbedSpec

MEMORY_LIMIT = "1GB"
"""Of DuckDB, which spills the rest to its temporary files."""

DAMAGED = (duckdb.IOException, duckdb.InvalidInputException, duckdb.SerializationException)
"""Raised for a file whose content does not match its header, when spans are first queried."""

_ASKED = """
    CREATE MACRO asked(wanted_phase, wanted_operation, from_s, until_s) AS TABLE
    SELECT r.* FROM requests AS r
    WHERE r.phase = wanted_phase
      AND (wanted_operation IS NULL OR r.operation = wanted_operation)
      AND r.since_phase_s >= from_s AND (until_s IS NULL OR r.since_phase_s < until_s)
"""

_SPANS = """
    * EXCLUDE (link, error_type, phase, kind),
    coalesce(link, '') AS link, coalesce(error_type, '') AS error_type,
    coalesce(phase, '') AS phase, lower(kind) AS kind,
    (start_ns - {epoch_ns}) / 1e9 AS start_s, (end_ns - start_ns) / 1e6 AS ms
"""

_TRACES = "CREATE TABLE traces AS SELECT trace_id, count(*) AS spans FROM spans GROUP BY trace_id"

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
class RunEvidence:
    """A run folder, opened: implements ``aguante.expectations.evidence.Evidence``."""

    connection: duckdb.DuckDBPyConnection
    plan: Plan
    testbed: TestbedSpec
    run_log: RunLog
    root: Path
    """Of the run folder, for messages."""
    promql_results: tuple[PromqlResult, ...] = ()

    def rows(self, sql: str, **parameters: object) -> list[Row]:
        """All rows of a query; parameters as ``$name``.

        Raises:
            EvidenceError: a file that the query asks turns out to be damaged.
        """
        try:
            return self.connection.execute(sql, parameters).fetchall()
        except DAMAGED as error:
            message = f"{self.root}: the evidence cannot be read: {error}"
            raise EvidenceError(message) from error

    def row(self, sql: str, **parameters: object) -> Row:
        """The one row of an aggregate."""
        return self.rows(sql, **parameters)[0]

    def window(self, phase: str) -> tuple[float, float]:
        """``[start, end)`` of a phase; raises KeyError."""
        window = self.plan.window(phase)
        return window.start_s, window.end_s

    def promql(self, query: str, start_s: float, end_s: float) -> PromqlResult | None:
        """The result of a query over a window; None: the run ended before it was evaluated."""
        wanted = (query, start_s, end_s)
        found = (r for r in self.promql_results if (r.query, r.start_s, r.end_s) == wanted)
        return next(found, None)

    @property
    def load(self) -> LoadMeasure:
        """Offered against achieved load of the whole run."""
        return measure_load(self, self.plan.load, self.run_log.load)

    @property
    def has_faults(self) -> bool:
        """Whether any fault was planned."""
        return bool(self.plan.faults)

    @property
    def spans_incomplete_because(self) -> str:
        """Why nothing follows from what spans do *not* show; empty: they are complete."""
        log = self.run_log
        if log.epoch_ns is None:
            return "the runner noted no t0, so spans have no place in time"
        if log.spans_lost_because:
            return log.spans_lost_because
        if log.spans_dropped is None:
            return "the services' counters of dropped spans could not be read"
        return f"{log.spans_dropped} spans were dropped" if log.spans_dropped else ""

    @property
    def first_fault_s(self) -> float | None:
        """When the first fault was really applied; None: none was."""
        times = [self.run_log.began_s(fault.id) for fault in self.plan.faults]
        return min((each for each in times if each is not None), default=None)

    @property
    def last_undo_s(self) -> float | None:
        """When the last fault was really undone; None: one is still there, or none was applied."""
        times = [self.run_log.undone_s(fault.id) for fault in self.plan.faults]
        known = [each for each in times if each is not None]
        return max(known) if known and len(known) == len(times) else None

    @property
    def load_end_s(self) -> float:
        """When load ended: as planned, or when the run was stopped."""
        stopped = self.run_log.stopped
        return min(self.plan.end_s, stopped.at_s) if stopped else self.plan.end_s


def open_evidence(
    folder: RunFolder, plan: Plan, testbed: TestbedSpec, *, unread: bool = False
) -> RunEvidence:
    """Open a run folder. A missing file gives an empty table.

    Requests are read into memory once. Spans stay in their file, and each query reads the columns that it needs;
    only the spans of a foreign system are loaded, because links and mechanisms are added to them.

    Args:
        folder: the evidence.
        plan: what was to happen.
        testbed: the system under test.
        unread: start with empty tables, which the caller fills while the run lasts.

    Raises:
        EvidenceError: an existing file cannot be read.
    """
    log, promql = read_run_log(folder.events), _promql_results(folder.promql)
    connection = duckdb.connect(config={"memory_limit": MEMORY_LIMIT})
    # Every query that needs an order states it; preserving it would fill tables on one thread.
    connection.execute("SET preserve_insertion_order = false")
    evidence = RunEvidence(connection, plan, testbed, log, folder.root, promql)
    try:
        _load_requests(evidence, None if unread else folder.records)
        _load_spans(evidence, None if unread else folder.spans)
        if not testbed.problem_json:
            attribute_from_spans(connection, testbed)
        connection.execute(_TRACES)
    except duckdb.Error as error:
        connection.close()
        message = f"{folder.root}: the evidence cannot be read: {error}"
        raise EvidenceError(message) from error
    return evidence


def _promql_results(path: Path) -> tuple[PromqlResult, ...]:
    try:
        return read_promql(path)
    except (msgspec.MsgspecError, OSError) as error:
        message = f"{path}: the results of PromQL queries cannot be read: {error}"
        raise EvidenceError(message) from error


def _load_requests(evidence: RunEvidence, records: Path | None) -> None:
    """``requests`` in one pass over the file, and ``client.requests`` as the client wrote them."""
    connection = evidence.connection
    with readable(records, final=evidence.run_log.load is not None) as path:
        rows = read_ledger(connection, path)
        own = ", ".join(rows.columns)
        with_phases(rows, evidence.plan.phases).create("requests")
    connection.execute("CREATE SCHEMA client")
    held = "VIEW" if evidence.testbed.problem_json else "TABLE"
    connection.execute(f"CREATE {held} client.requests AS SELECT {own} FROM main.requests")  # noqa: S608  # names of RequestRecord
    connection.execute(
        "CREATE TABLE entry AS SELECT $link AS link", {"link": evidence.testbed.entry}
    )
    connection.execute(_ASKED)


def _load_spans(evidence: RunEvidence, file: Path | None) -> None:
    connection = evidence.connection
    epoch_ns = evidence.run_log.epoch_ns
    spans = _raw_spans(connection, file).project(
        _SPANS.replace("{epoch_ns}", "NULL" if epoch_ns is None else str(epoch_ns))
    )
    if file and file.exists() and evidence.testbed.problem_json:
        spans.create_view("spans")
    else:
        spans.create("spans")
    connection.execute(_SPAN_EVENTS, {"epoch_ns": epoch_ns})
    connection.execute(_ATTEMPTS)


def _raw_spans(connection: duckdb.DuckDBPyConnection, file: Path | None) -> duckdb.DuckDBPyRelation:
    """All columns, NULL where the file (of an earlier version) lacks one; no rows without a file."""
    if file is None or not file.exists():
        nothing = ", ".join(f"NULL::{kind} AS {name}" for name, kind in COLUMNS.items())
        return connection.sql("SELECT 1").project(nothing).filter("false")
    rows = connection.read_parquet(literal_path(file))
    known = set(rows.columns)
    return rows.project(
        ", ".join(
            f"{name if name in known else 'NULL'}::{kind} AS {name}"
            for name, kind in COLUMNS.items()
        )
    )
