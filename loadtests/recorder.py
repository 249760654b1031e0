"""Where request records go: buffered, and handed on often enough to be tailed."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import gevent
import msgspec

from aguante.load_protocol.records import RequestRecord

FLUSH_S = 0.1
"""How long a record waits at most; half of what a reader that tails the file is promised."""


class RecordFile:
    """The file of records; an empty path keeps nothing.

    Raises:
        OSError: at construction, when the file cannot be opened, or holds something already: every load counts
            its arrivals from 0, so that two loads in one file could not be told apart.
    """

    def __init__(self, path: str) -> None:
        self._file: BinaryIO | None = None
        if path:
            self._file = Path(path).open("ab", buffering=0)  # noqa: SIM115 - lives as long as we do
            if os.fstat(self._file.fileno()).st_size:
                self.close()
                raise FileExistsError(errno.EEXIST, "holds the records of another load", path)

    def write(self, lines: bytes) -> None:
        """Append whole lines.

        Raises:
            OSError: they cannot be written.
        """
        # an unbuffered file may take less than it is given
        view = memoryview(lines)
        while view and self._file is not None:
            view = view[self._file.write(view) :]

    def close(self) -> None:
        """Idempotent."""
        if self._file is not None:
            self._file.close()
            self._file = None


class Recorder:
    """Hands records on as JSON lines: to a file, or to the worker's master. ``write`` may raise OSError."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._encoder = msgspec.json.Encoder()
        self._lines: list[bytes] = []
        self.written = 0
        self.error = ""
        """Why records could not be written, or empty."""
        self._flusher = gevent.spawn(self._flush_for_ever)

    def add(self, record: RequestRecord) -> None:
        """Take one record; it is in the file within ``FLUSH_S``."""
        self._lines.append(self._encoder.encode(record))

    def close(self) -> None:
        """Hand on what is left; idempotent."""
        self._flusher.kill()
        self._flush()

    def _flush_for_ever(self) -> None:
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
