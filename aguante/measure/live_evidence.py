"""The evidence of a run that still lasts: its requests so far, each read once.

The cost of each look depends on the new requests, not on the length of the run, plus the query's scan of a few
columns (10 ms for a million requests).
"""

import duckdb

from aguante.measure.audit.ledger import lines_as_file, read_ledger, with_phases
from aguante.measure.run_evidence import RunEvidence, open_evidence
from aguante.plan.plan import Plan
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.run_log import EvidenceError
from aguante.testbed.testbed_spec import TestbedSpec

READ_BYTES_MAX = 32 * 1024 * 1024
"""Read from the ledger at one time, about 100,000 requests; the rest is read the next time."""

_NAMELESS = (
    """* REPLACE ('' AS trace_id, '' AS idempotency_key, '' AS reservation_id, '' AS event_id)"""
)
"""Columns that no condition needs and that would take most of the memory are left empty."""


class LiveEvidence:
    """The requests that a run has recorded so far. Spans are only decoded when the run is over."""

    def __init__(self, folder: RunFolder, plan: Plan, testbed: TestbedSpec) -> None:
        self._records, self._read_bytes = folder.records, 0
        self._evidence = open_evidence(folder, plan, testbed, unread=True)

    def refresh(self) -> RunEvidence:
        """Read new requests up to the last complete line. Returns the same object each time.

        Raises:
            EvidenceError: a line is not a RequestRecord, or the file cannot be read.
        """
        evidence = self._evidence
        try:
            new = self._new_lines()
            if new:
                with lines_as_file(new) as path:
                    rows = with_phases(read_ledger(evidence.connection, path), evidence.plan.phases)
                    rows.project(_NAMELESS).insert_into("requests")
        except (OSError, duckdb.Error) as error:
            message = f"{self._records}: cannot be read: {error}"
            raise EvidenceError(message) from error
        self._read_bytes += len(new)
        return evidence

    def _new_lines(self) -> bytes:
        if not self._records.exists():
            return b""
        with self._records.open("rb") as file:
            file.seek(self._read_bytes)
            new = file.read(READ_BYTES_MAX)
        return new[: new.rfind(b"\n") + 1]
