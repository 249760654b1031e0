"""The undo journal: what must be restored, written to disk before any fault is applied.

JSON lines. An intent holds the *state to restore*, so that restoring it twice does no harm. It is fsynced before
``intend`` returns, hence before the fault; the folder is fsynced when the journal is created. Marks (``applied``,
``undone``, ``verified``) are not fsynced: losing one only causes an undo to be repeated.

A live run holds an flock on its journal. A process that acquires the lock may heal.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError

from aguante.core.values import Value
from aguante.faults.fault_registry import AnyUndo

MarkState = Literal["applied", "undone", "verified"]


class JournalError(Exception):
    """The journal cannot be written or read, so no fault may be applied (exit code 4)."""


class Opened(Value):
    """The first line."""

    kind: Literal["opened"] = "opened"
    run_id: str


class Intent(Value):
    """A fault may be applied from now on. ``undo`` is the state to restore."""

    kind: Literal["intent"] = "intent"
    undo: AnyUndo


class Mark(Value):
    """The progress of a fault. ``verified``: the undo was read back, and nothing is left to do."""

    kind: Literal["mark"] = "mark"
    fault_id: str
    state: MarkState


Entry = Annotated[Opened | Intent | Mark, Field(discriminator="kind")]
_ENTRY: TypeAdapter[Opened | Intent | Mark] = TypeAdapter(Entry)


class Files:
    """The disk operations whose order matters; a test may observe and break them."""

    def create(self, path: Path) -> int:
        """Create a file and open it for appending; FileExistsError if it exists."""
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)

    def reopen(self, path: Path) -> int:
        """Open an existing file for appending."""
        return os.open(path, os.O_WRONLY | os.O_APPEND)

    def lock(self, fd: int) -> bool:
        """Acquire the exclusive lock without waiting; False if it is held elsewhere. It ends with the process."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def write(self, fd: int, data: bytes) -> None:
        """Write all of ``data``."""
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def size(self, fd: int) -> int:
        """Size of the file, bytes."""
        return os.fstat(fd).st_size

    def cut(self, fd: int, size: int) -> None:
        """Truncate the file to ``size`` bytes."""
        os.ftruncate(fd, size)

    def sync(self, fd: int) -> None:
        """Return once the file is on disk."""
        os.fsync(fd)

    def publish(self, hidden: Path, path: Path) -> None:
        """Give a file its name and return once the folder is on disk; FileExistsError if the name is taken."""
        path.hardlink_to(hidden)
        hidden.unlink()
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self, fd: int) -> None:
        """Close the file and release the lock."""
        os.close(fd)


class Journal:
    """An open, locked journal. ``open`` is for a new run, ``resume`` for healing a dead one."""

    def __init__(self, path: Path, fd: int, files: Files) -> None:
        self._path = path
        self._fd = fd
        self._files = files
        self._complete = files.size(fd)
        """Bytes of complete lines; a full disk may have accepted only part of the line after them."""

    @classmethod
    def open(cls, path: Path, run_id: str, files: Files | None = None) -> "Journal":
        """Create the journal of a run, locked and with its first line on disk.

        It gets its name after it is locked, so that the journal of a starting run is never taken for that of a
        dead one.

        Raises:
            JournalError: it exists, or cannot be written.
        """
        files = files or Files()
        hidden = path.with_name(f".{path.name}.{os.getpid()}")
        fd = -1
        try:
            fd = files.create(hidden)
            files.lock(fd)
            journal = cls(path, fd, files)
            journal._append(Opened(run_id=run_id), durable=True)
            files.publish(hidden, path)
        except OSError as failure:
            if fd >= 0:
                files.close(fd)
            hidden.unlink(missing_ok=True)
            raise _unwritable(path, failure) from failure
        return journal

    @classmethod
    def resume(cls, path: Path, files: Files | None = None) -> "Journal | None":
        """Open the journal of a dead run and cut off an incomplete last line; None: a live run holds it.

        Raises:
            JournalError: it cannot be opened.
        """
        files = files or Files()
        fd = -1
        try:
            fd = files.reopen(path)
            if not files.lock(fd):
                files.close(fd)
                return None
            files.cut(fd, path.read_bytes().rfind(b"\n") + 1)
        except OSError as failure:
            if fd >= 0:
                files.close(fd)
            raise _unwritable(path, failure) from failure
        return cls(path, fd, files)

    def intend(self, undo: AnyUndo) -> None:
        """Record what must be restored; on disk when this returns. Blocks for one fsync.

        Raises:
            JournalError: it is not on disk, and the fault must not be applied.
        """
        with _as_journal_error(self._path):
            self._append(Intent(undo=undo), durable=True)

    def mark(self, fault_id: str, state: MarkState) -> None:
        """Record the progress of a fault, without an fsync.

        Raises:
            JournalError: it could not be written.
        """
        with _as_journal_error(self._path):
            self._append(Mark(fault_id=fault_id, state=state), durable=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and release the lock; idempotent."""
        if self._fd >= 0:
            self._files.close(self._fd)
            self._fd = -1

    def _append(self, entry: Opened | Intent | Mark, *, durable: bool) -> None:
        line = entry.model_dump_json().encode() + b"\n"
        if self._files.size(self._fd) != self._complete:  # remove an incomplete line first
            self._files.cut(self._fd, self._complete)
        self._files.write(self._fd, line)
        self._complete += len(line)
        if durable:
            self._files.sync(self._fd)


def pending(path: Path) -> list[AnyUndo]:
    """Intents that are not verified as undone, last first, which is the order to undo them in.

    An incomplete line is ignored: its ``intend`` never returned, so its fault was never applied.

    Raises:
        JournalError: the file or one of its complete lines cannot be read.
    """
    undos, errors = read_pending(path)
    if errors:
        raise errors[0]
    return undos


def read_pending(path: Path) -> tuple[list[AnyUndo], list[JournalError]]:
    """As ``pending``, from the valid lines; and an error for each invalid line.

    Raises:
        JournalError: the file cannot be read.
    """
    intents: dict[str, AnyUndo] = {}
    errors: list[JournalError] = []
    for entry in _entries(path):
        if isinstance(entry, JournalError):
            errors.append(entry)
        elif isinstance(entry, Intent):
            intents[entry.undo.fault_id] = entry.undo
        elif isinstance(entry, Mark) and entry.state == "verified":
            intents.pop(entry.fault_id, None)
    return list(reversed(intents.values())), errors


def recoverable(runs: Path) -> list[Path]:
    """Journals of dead runs with something left to undo, oldest run first; also those that cannot be read."""
    return [
        path for path in sorted(runs.glob("*/journal.jsonl")) if _is_dead(path) and _needs(path)
    ]


def _is_dead(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError:
        return True  # resuming it reports why it cannot be read
    return True


def _needs(path: Path) -> bool:
    try:
        return bool(pending(path))
    except JournalError:
        return True


def _entries(path: Path) -> Iterator[Opened | Intent | Mark | JournalError]:
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as failure:
        msg = f"{path}: the undo journal cannot be read ({failure})"
        raise JournalError(msg) from failure
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"\n"):
            return  # incomplete: see pending()
        try:
            yield _ENTRY.validate_json(line)
        except ValidationError:
            yield JournalError(
                f"{path}:{number}: not an entry of an undo journal: {line[:80]!r}. A fault may still be active; "
                "fix: check the testbed of this run (`aguante heal` removes every fault from a running one), "
                "then remove this journal"
            )


@contextlib.contextmanager
def _as_journal_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        raise _unwritable(path, failure) from failure


def _unwritable(path: Path, failure: OSError) -> JournalError:
    return JournalError(
        f"{path}: the undo journal cannot be written ({failure}), so no fault is applied; "
        "fix: give the runs folder free space and write permission"
    )
