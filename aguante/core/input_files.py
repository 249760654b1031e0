"""Reads a file that a user names: a regular file, a pipe such as ``<(command)``, or ``-`` for standard input."""

import os
import select
import stat
import sys
import time
from collections.abc import Mapping
from pathlib import Path

STDIN = Path("-")
CHUNK_BYTES = 65_536
WRITER_WAIT_S = 2.0
"""How long a pipe may be without a writer before anything was written to it."""
DATA_WAIT_S = 60.0
"""How long the writer of a pipe may write nothing."""
_FOUND: Mapping[type[Exception], str] = {
    FileNotFoundError: "no such file",
    IsADirectoryError: "a directory",
    PermissionError: "a file without read permission",
}


class NotReadableError(Exception):
    """A file that cannot be read; the texts are parts of a message."""

    def __init__(self, found: str, expected: str, fix: str) -> None:
        super().__init__(found, expected, fix)
        self.found, self.expected, self.fix = found, expected, fix


def shown_name(file: Path) -> Path:
    """The name of the file in messages: ``stdin`` for ``-``."""
    return Path("stdin") if file == STDIN else file


def is_stream(file: Path) -> bool:
    """Whether the file can be read only once: standard input or a pipe."""
    return file == STDIN or file.is_fifo()


def read_input(file: Path, bytes_max: int) -> bytes:
    """The content, cut after ``bytes_max`` bytes. Waits a limited time for the writer of a pipe.

    Raises:
        NotReadableError: the file is missing, a device, or a pipe that nothing is written to.
    """
    try:
        if file == STDIN:
            return sys.stdin.buffer.read(bytes_max)
        kind = file.stat().st_mode
        if stat.S_ISFIFO(kind):
            return _read_pipe(file, bytes_max)
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            found, expected = "a device", "a regular file or a pipe"
            raise NotReadableError(found, expected, "save it as a file")
        with file.open("rb") as opened:
            return opened.read(bytes_max)
    except (OSError, ValueError) as error:
        found = _FOUND.get(type(error), str(getattr(error, "strerror", None) or error))
        fix = "check the path and its permissions"
        raise NotReadableError(found, "a readable file", fix) from error


def _read_pipe(file: Path, bytes_max: int) -> bytes:
    """Opened without blocking: opening a pipe otherwise waits for a writer."""
    pipe = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return _read_until_closed(pipe, bytes_max)
    finally:
        os.close(pipe)


def _read_until_closed(pipe: int, bytes_max: int) -> bytes:
    content, deadline_s = b"", time.monotonic() + WRITER_WAIT_S
    while len(content) < bytes_max:
        try:
            chunk = os.read(pipe, CHUNK_BYTES)
        except BlockingIOError:  # a writer has it open, and has written nothing yet
            if not select.select([pipe], [], [], DATA_WAIT_S)[0]:
                raise _nothing_written() from None
            continue
        content += chunk
        if chunk:
            continue
        if content:
            break
        if time.monotonic() > deadline_s:
            raise _nothing_written()
        time.sleep(0.01)
    return content[:bytes_max]


def _nothing_written() -> NotReadableError:
    return NotReadableError("a pipe that nothing is written to", "a file or a pipe", "check it")
