"""The client's ledger as CSV, for spreadsheets: every request, and a summary by operation and outcome."""

from pathlib import Path

import duckdb

from aguante.measure.audit.ledger import load_ledger
from aguante.run_folder.run_log import EvidenceError

_REQUESTS = "SELECT * FROM client.requests ORDER BY intended_s, seq"
_SUMMARY = """
    SELECT operation, status, origin, mechanism, count(*) AS requests,
           round(count(*) / sum(count(*)) OVER (PARTITION BY operation), 6) AS share_of_operation,
           round(quantile_disc(latency_ms, 0.50), 3) AS p50_ms,
           round(quantile_disc(latency_ms, 0.90), 3) AS p90_ms,
           round(quantile_disc(latency_ms, 0.95), 3) AS p95_ms,
           round(quantile_disc(latency_ms, 0.99), 3) AS p99_ms,
           round(max(latency_ms), 3) AS max_ms,
           round(quantile_disc(greatest(0, started_s - intended_s) * 1000, 0.99), 3) AS late_p99_ms
    FROM client.requests
    GROUP BY operation, status, origin, mechanism ORDER BY operation, requests DESC, status, mechanism
"""


def write_csv(records: Path, folder: Path) -> tuple[Path, Path]:
    """Write ``requests.csv`` (in order of intended start) and ``summary.csv``; latency from the intended start.

    Raises:
        EvidenceError: the ledger cannot be read, or the files cannot be written.
    """
    requests, summary = folder / "requests.csv", folder / "summary.csv"
    try:
        with duckdb.connect() as connection:
            load_ledger(connection, records)
            connection.sql(_REQUESTS).write_csv(str(requests))
            connection.sql(_SUMMARY).write_csv(str(summary))
    except (duckdb.Error, OSError) as error:
        message = f"{records}: cannot be written as CSV: {error}"
        raise EvidenceError(message) from error
    return requests, summary
