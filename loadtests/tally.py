"""Counts the responses of a load, and writes the summary lines that plain Locust prints at its end."""

from collections import Counter

import msgspec

from aguante.load_protocol.records import LoadSummary
from loadtests.operations import expected, is_expected


class _Counted(msgspec.Struct):
    """The columns of a record that are counted; the others are not decoded."""

    operation: str
    status: int


class UnexpectedResponseError(Exception):
    """A response that the operation should not get: a failure in Locust's statistics."""

    def __init__(self, operation: str, status: int) -> None:
        super().__init__(f"{operation} was answered {status}; expected {expected(operation)}")


class Tally:
    """Counts responses by operation and status; status 0 means no response."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, int]] = Counter()
        self._decoder = msgspec.json.Decoder(_Counted)

    def add(self, operation: str, status: int) -> None:
        """Count one request that has ended."""
        self._counts[operation, status] += 1

    def add_records(self, lines: bytes) -> None:
        """Count the requests of another process from their records: whole lines of JSON."""
        for record in self._decoder.decode_lines(lines):
            self.add(record.operation, record.status)

    def lines(self) -> list[str]:
        """One line per operation: its statuses with their counts, unexpected ones marked."""
        by_operation: dict[str, list[str]] = {}
        for (operation, status), count in sorted(self._counts.items()):
            mark = "" if is_expected(operation, status) else " (not expected)"
            text = f"{status or 'no answer'} x {count}{mark}"
            by_operation.setdefault(operation, []).append(text)
        return [f"{operation}: {', '.join(counts)}" for operation, counts in by_operation.items()]


def summary_lines(summary: LoadSummary, tally: Tally) -> list[str]:
    """The result of a load as text: totals first, then one line per operation."""
    waited = summary.offered - summary.sent - summary.shed
    unsent = f", {waited} not sent because users waited" if waited else ""
    clocks = (
        f"workers' clocks agree within {summary.clock_error_ms:.2f} ms"
        if summary.clock_error_ms
        else "one clock"
    )
    counts = f"offered {summary.offered}, sent {summary.sent}, shed {summary.shed}{unsent}"
    return [f"{counts}, recorded {summary.completed}; {clocks}", *tally.lines()]
