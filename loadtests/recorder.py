"""Buffers request records and writes them often enough for a reader that follows the file."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import gevent
import msgspec

from aguante.load_protocol.records import RequestRecord

FLUSH_S = 0.1
"""The longest that a record is buffered: half of what a reader of the file is promised."""


class RecordFile:
    """The file of records; an empty path discards them.

    Raises:
        OSError: at construction, when the file cannot be opened or is not empty: every load counts its
            arrivals from 0, so two loads in one file could not be distinguished.
    """

    def __init__(self, path: str) -> None:
        self._file: BinaryIO | None = None
        if path:
            self._file = Path(path).open("ab", buffering=0)  # noqa: SIM115 - open as long as the object
            if os.fstat(self._file.fileno()).st_size:
                self.close()
                raise FileExistsError(errno.EEXIST, "holds the records of another load", path)

    def write(self, lines: bytes) -> None:
        """Append whole lines.

        Raises:
            OSError: they cannot be written.
        """
        # an unbuffered write may be partial
        view = memoryview(lines)
        while view and self._file is not None:
            view = view[self._file.write(view) :]

    def close(self) -> None:
        """Close the file; may be called again."""
        if self._file is not None:
            self._file.close()
            self._file = None


class Recorder:
    """Passes records on as JSON lines, to a file or to the worker's master. ``write`` may raise OSError."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._encoder = msgspec.json.Encoder()
        self._lines: list[bytes] = []
        self.written = 0
        self.error = ""
        """Why records could not be written, or an empty text."""
        self._flusher = gevent.spawn(self._flush_periodically)

    def add(self, record: RequestRecord) -> None:
        """Add one record, which is written within ``FLUSH_S``."""
        self._lines.append(self._encoder.encode(record))

    def close(self) -> None:
        """Write what is buffered; may be called again."""
        self._flusher.kill()
        self._flush()

    def _flush_periodically(self) -> None:
        while True:
            gevent.sleep(FLUSH_S)
            self._flush()

    def _flush(self) -> None:
        if not self._lines or self.error:
            return
        lines, self._lines = self._lines, []
        try:
            self._write(b"\n".join(lines) + b"\n")
        except OSError as failure:
            self.error = str(failure)
        else:
            self.written += len(lines)
