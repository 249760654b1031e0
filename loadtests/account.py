"""What a load came to: how many were answered how, and the lines that plain Locust ends with."""

from collections import Counter

import msgspec

from aguante.load_protocol.records import LoadSummary
from loadtests.operations import expected, is_expected


class _Seen(msgspec.Struct):
    """The columns of a record that are counted; the others are skipped undecoded."""

    operation: str
    status: int


class UnexpectedAnswerError(Exception):
    """An answer that the operation should not get: a failure in Locust's statistics."""

    def __init__(self, operation: str, status: int) -> None:
        super().__init__(f"{operation} was answered {status}; expected {expected(operation)}")


class Tally:
    """Counts answers by operation and status; 0: no answer."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, int]] = Counter()
        self._decoder = msgspec.json.Decoder(_Seen)

    def add(self, operation: str, status: int) -> None:
        """One request has ended."""
        self._counts[operation, status] += 1

    def add_records(self, lines: bytes) -> None:
        """Requests of another process, by their records: whole lines of JSON."""
        for seen in self._decoder.decode_lines(lines):
            self.add(seen.operation, seen.status)

    def lines(self) -> list[str]:
        """A line for each operation: its statuses with their counts, what is not expected marked so."""
        told: dict[str, list[str]] = {}
        for (operation, status), count in sorted(self._counts.items()):
            mark = "" if is_expected(operation, status) else " (not expected)"
            told.setdefault(operation, []).append(f"{status or 'no answer'} x {count}{mark}")
        return [f"{operation}: {', '.join(answers)}" for operation, answers in told.items()]


def closing(summary: LoadSummary, tally: Tally) -> list[str]:
    """What was offered and what became of it: the end of a load, for a person."""
    waited = summary.offered - summary.sent - summary.shed
    unasked = f", {waited} never asked since users waited" if waited else ""
    clocks = (
        f"workers' clocks agree within {summary.clock_error_ms:.2f} ms"
        if summary.clock_error_ms
        else "one clock"
    )
    counts = f"offered {summary.offered}, sent {summary.sent}, shed {summary.shed}{unasked}"
    return [f"{counts}, recorded {summary.completed}; {clocks}", *tally.lines()]
