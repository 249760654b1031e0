"""Runs a report of ``testbed.yaml`` on recorded tables; its rows as text."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from aguante.core.values import Value
from aguante.measure.audit.invariants import load_tables
from aguante.run_folder.run_log import EvidenceError
from aguante.testbed.testbed_spec import ReportSpec, TestbedSpec

Since = datetime | timedelta | None
"""A time, or how long before the tables were read; None: everything."""


class Report(Value):
    """The result of a query; ``aguante reconcile --json`` prints it."""

    subject: str
    """What was read: ``testbed 017-3fa9``, or a run folder."""
    name: str
    rows: tuple[dict[str, str | None], ...]
    """Column -> text; times in UTC."""


def run_report(
    subject: str, testbed: TestbedSpec, spec: ReportSpec, tables: Path, since: Since = None
) -> Report:
    """Run a report's query.

    Args:
        subject: what is read, in words.
        testbed: the testbed.
        spec: the query; with ``since`` it must have a column ``at``.
        tables: folder that ``dump_tables`` wrote.
        since: rows whose ``at`` is earlier are left out.

    Raises:
        EvidenceError: the tables cannot be read, or the query fails on them.
    """
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        trouble = load_tables(connection, tables, [each.name for each in testbed.databases])
        try:
            rows = connection.sql(spec.sql.read_text(encoding="utf-8"))
            if since is not None:
                earliest = _earliest(connection, testbed, since)
                rows = rows.filter(f'"at" >= to_timestamp({earliest.timestamp()!r})')
            cells = rows.project("COLUMNS(*)::VARCHAR").fetchall()
        except (OSError, duckdb.Error) as error:
            reasons = (str(error).splitlines()[0], trouble)
            message = f"report {spec.name}: {'; '.join(each for each in reasons if each)}"
            raise EvidenceError(message) from error
        return Report(
            subject=subject,
            name=spec.name,
            rows=tuple(dict(zip(rows.columns, row, strict=True)) for row in cells),
        )


def _earliest(
    connection: duckdb.DuckDBPyConnection, testbed: TestbedSpec, since: datetime | timedelta
) -> datetime:
    if isinstance(since, datetime):
        return since
    tables = " UNION ALL ".join(
        f'SELECT taken_at FROM "{each.name}"._snapshot'  # noqa: S608  # names checked with testbed.yaml
        for each in testbed.databases
    )
    (row,) = connection.sql(tables).aggregate("epoch(max(taken_at))").fetchall()
    return datetime.fromtimestamp(row[0], UTC) - since
