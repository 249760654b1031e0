"""A run while it is played: its requests so far, each read once, to be asked like a finished run's.

What a second costs is what came in it, and the questions' own look at a few columns (10 ms for a million
requests), however long the run already is.
"""

import duckdb

from aguante.measure.audit.ledger import lines_as_file, read_ledger, with_phases
from aguante.measure.run_evidence import RunEvidence, open_evidence
from aguante.plan.plan import Plan
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.run_log import EvidenceError
from aguante.testbed.testbed_spec import TestbedSpec

READ_BYTES_MAX = 32 * 1024 * 1024
"""Of the ledger at one time, about 100,000 requests: the rest is read the next time."""

_NAMELESS = (
    """* REPLACE ('' AS trace_id, '' AS idempotency_key, '' AS reservation_id, '' AS event_id)"""
)
"""What no condition asks, and what would take most of the memory."""


class LiveEvidence:
    """The requests of one run, as far as they are written. Spans come when the run is over."""

    def __init__(self, folder: RunFolder, plan: Plan, testbed: TestbedSpec) -> None:
        self._records, self._read_bytes = folder.records, 0
        self._evidence = open_evidence(folder, plan, testbed, unread=True)

    def refresh(self) -> RunEvidence:
        """Read what is new, up to the last whole line. The evidence is the same object each time.

        Raises:
            EvidenceError: a line is no RequestRecord, or the file cannot be read.
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
