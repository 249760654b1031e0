"""The undo journal: what will have to be restored, on disk before anything is broken.

JSON lines. An intent is the *state to restore*, so that restoring it twice does no harm; it is written
and fsynced (and, on creation, so is the folder) before ``intend`` returns, hence before the fault. Marks
(``applied``, ``undone``, ``verified``) are not fsynced: one that is lost only makes an undo happen again.

A live run holds an flock on its journal. Whoever gets the lock may heal.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError

from aguante.core.values import Value
from aguante.faults.undo import Undo

MarkState = Literal["applied", "undone", "verified"]


class JournalError(Exception):
    """The journal cannot be written or read: no fault may be applied (exit code 4)."""


class Opened(Value):
    """The first line: whose journal this is."""

    kind: Literal["opened"] = "opened"
    run_id: str


class Intent(Value):
    """A fault may be applied from now on; ``undo`` is the state to restore."""

    kind: Literal["intent"] = "intent"
    undo: Undo


class Mark(Value):
    """How far a fault has come. ``verified``: undone, and read back to be so; nothing is left to do."""

    kind: Literal["mark"] = "mark"
    fault_id: str
    state: MarkState


Entry = Annotated[Opened | Intent | Mark, Field(discriminator="kind")]
_ENTRY: TypeAdapter[Opened | Intent | Mark] = TypeAdapter(Entry)


class Files:
    """The few operations of the disk whose order matters: one place, so that a test can watch and break them."""

    def create(self, path: Path) -> int:
        """Create and open for appending; FileExistsError when it is there."""
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)

    def reopen(self, path: Path) -> int:
        """Open an existing file for appending."""
        return os.open(path, os.O_WRONLY | os.O_APPEND)

    def lock(self, fd: int) -> bool:
        """Take the exclusive lock without waiting; False when another holds it. It goes with the process."""
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
        """How many bytes the file has."""
        return os.fstat(fd).st_size

    def cut(self, fd: int, size: int) -> None:
        """Make the file ``size`` bytes long."""
        os.ftruncate(fd, size)

    def sync(self, fd: int) -> None:
        """Return when the file is on disk."""
        os.fsync(fd)

    def publish(self, hidden: Path, path: Path) -> None:
        """Give a file its name, and return when the folder is on disk; FileExistsError when it is taken."""
        path.hardlink_to(hidden)
        hidden.unlink()
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self, fd: int) -> None:
        """Close, and give the lock back."""
        os.close(fd)


class Journal:
    """An open, locked journal. Use ``open`` for a new run, ``resume`` to heal after a dead one."""

    def __init__(self, path: Path, fd: int, files: Files) -> None:
        self._path = path
        self._fd = fd
        self._files = files
        self._whole = files.size(fd)
        """Bytes of whole lines: what lies beyond is a line that the disk took only in part."""

    @classmethod
    def open(cls, path: Path, run_id: str, files: Files | None = None) -> "Journal":
        """Create the journal of a run, locked, with a first line on disk.

        It gets its name only once it is locked: nobody can take the journal of a run that has just begun
        for that of a dead one.

        Raises:
            JournalError: it is there already, or cannot be written.
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
        """Open the journal of a run that is dead, a torn last line cut off; None when a live run holds it.

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

    def intend(self, undo: Undo) -> None:
        """Write down what will have to be restored; on disk when this returns. Blocks for one fsync.

        Raises:
            JournalError: it could not be made durable; the fault must not be applied.
        """
        with _as_journal_error(self._path):
            self._append(Intent(undo=undo), durable=True)

    def mark(self, fault_id: str, state: MarkState) -> None:
        """Note how far a fault has come; not waited for on disk.

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
        """Close the file and give the lock back; idempotent."""
        if self._fd >= 0:
            self._files.close(self._fd)
            self._fd = -1

    def _append(self, entry: Opened | Intent | Mark, *, durable: bool) -> None:
        line = entry.model_dump_json().encode() + b"\n"
        if self._files.size(self._fd) != self._whole:  # else this line would be glued to a torn one
            self._files.cut(self._fd, self._whole)
        self._files.write(self._fd, line)
        self._whole += len(line)
        if durable:
            self._files.sync(self._fd)


def pending(path: Path) -> list[Undo]:
    """What was intended and not yet verified undone, last intent first (undo in reverse order).

    A torn line is passed over: its intent never returned, so its fault was never applied.

    Raises:
        JournalError: the file cannot be read, or a whole line of it makes no sense.
    """
    undos, broken = legible(path)
    if broken:
        raise broken[0]
    return undos


def legible(path: Path) -> tuple[list[Undo], list[JournalError]]:
    """As ``pending``, from the lines that make sense; and an error for each that makes none.

    Raises:
        JournalError: the file cannot be read.
    """
    intents: dict[str, Undo] = {}
    broken: list[JournalError] = []
    for entry in _entries(path):
        if isinstance(entry, JournalError):
            broken.append(entry)
        elif isinstance(entry, Intent):
            intents[entry.undo.fault_id] = entry.undo
        elif isinstance(entry, Mark) and entry.state == "verified":
            intents.pop(entry.fault_id, None)
    return list(reversed(intents.values())), broken


def recoverable(runs: Path) -> list[Path]:
    """Journals of dead runs that still have something to undo, oldest run first.

    A journal that cannot be read is listed too: somebody must look at it.
    """
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
        return True  # not to be read: whoever resumes it says why
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
            return  # torn: see pending()
        try:
            yield _ENTRY.validate_json(line)
        except ValidationError:
            yield JournalError(
                f"{path}:{number}: not an entry of an undo journal: {line[:80]!r}. It may hide a fault "
                "that still holds: look at the testbed it ran on (`aguante heal` takes every fault off "
                "one that runs), then remove this journal"
            )


@contextlib.contextmanager
def _as_journal_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        raise _unwritable(path, failure) from failure


def _unwritable(path: Path, failure: OSError) -> JournalError:
    return JournalError(
        f"{path}: the undo journal cannot be written ({failure}); no fault is applied. "
        "Give the runs folder space and write permission."
    )
