"""The client's ledger: every request as its client saw it, in memory and as JSON lines.

A row is written when its request ends, whatever the outcome.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import msgspec

from aguante.load_protocol.records import RequestRecord


class Ledger:
    """Appends RequestRecords; use as a context manager.

    Args:
        path: the JSONL file to append to.
        clock: monotonic seconds; the ledger's times count from its construction.

    Raises:
        OSError: the file cannot be opened or written.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = path.open("ab")
        self._clock = clock
        self._t0_s = clock()
        self._next = 0
        self.records: list[RequestRecord] = []

    def now_s(self) -> float:
        """Seconds since the ledger was opened."""
        return self._clock() - self._t0_s

    def number(self) -> int:
        """The number of the next request, from 0."""
        self._next += 1
        return self._next - 1

    def add(self, record: RequestRecord) -> None:
        """Record a request that has ended."""
        self.records.append(record)
        self._file.write(msgspec.json.encode(record) + b"\n")
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
