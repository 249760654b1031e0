"""The undo journal: what is on disk at which time, and what a dead run leaves to undo."""

import errno
from pathlib import Path

import pytest

from aguante.faults.toxiproxy import ToxiproxyUndo
from aguante.run_folder.journal import Files, Journal, JournalError, pending, recoverable

RUN = "20260101-slow-ab12"


def undo(fault_id: str) -> ToxiproxyUndo:
    return ToxiproxyUndo(
        fault_id=fault_id,
        api="http://127.0.0.1:8474",
        proxy="reservations-payments",
        toxic=f"{RUN}-{fault_id}",
    )


class WatchedFiles(Files):
    """Real files that record the order of operations, and fail on request."""

    def __init__(self, broken: str = "") -> None:
        self.done: list[str] = []
        self.broken = broken

    def _note(self, operation: str) -> None:
        if operation == self.broken:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.done.append(operation)

    def lock(self, fd: int) -> bool:
        self._note("lock")
        return super().lock(fd)

    def write(self, fd: int, data: bytes) -> None:
        self._note("write")
        super().write(fd, data)

    def sync(self, fd: int) -> None:
        self._note("sync")
        super().sync(fd)

    def publish(self, hidden: Path, path: Path) -> None:
        self._note("publish")
        super().publish(hidden, path)


class FillingFiles(Files):
    """A full disk that accepts only the first bytes of a line."""

    def __init__(self) -> None:
        self.takes: int | None = None

    def write(self, fd: int, data: bytes) -> None:
        if self.takes is None:
            super().write(fd, data)
            return
        super().write(fd, data[: self.takes])
        raise OSError(errno.ENOSPC, "No space left on device")


def journal_path(tmp_path: Path) -> Path:
    folder = tmp_path / RUN
    folder.mkdir()
    return folder / "journal.jsonl"


def test_a_journal_has_its_name_only_once_it_is_locked_and_on_disk(tmp_path: Path) -> None:
    """Lock, write, sync, and only then the name, so that no reader sees an unlocked live journal."""
    files = WatchedFiles()
    Journal.open(journal_path(tmp_path), RUN, files).close()
    assert files.done == ["lock", "write", "sync", "publish"]


def test_an_intent_is_synced_before_intend_returns(tmp_path: Path) -> None:
    """An intent is written and fsynced; a mark is only written."""
    files = WatchedFiles()
    journal = Journal.open(journal_path(tmp_path), RUN, files)
    files.done.clear()
    journal.intend(undo("slow"))
    assert files.done == ["write", "sync"]
    journal.mark("slow", "applied")
    assert files.done == ["write", "sync", "write"]
    journal.close()


@pytest.mark.parametrize("broken", ["write", "sync", "publish"])
def test_a_journal_that_cannot_be_created_leaves_no_file(tmp_path: Path, broken: str) -> None:
    """Whichever step fails, the error has its fix and no file is left."""
    path = journal_path(tmp_path)
    with pytest.raises(JournalError, match=r"No space left.*no fault is applied"):
        Journal.open(path, RUN, WatchedFiles(broken))
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("broken", ["write", "sync"])
def test_an_intent_that_is_not_durable_is_refused(tmp_path: Path, broken: str) -> None:
    """``intend`` raises, so that the fault is not applied."""
    files = WatchedFiles()
    journal = Journal.open(journal_path(tmp_path), RUN, files)
    files.broken = broken
    with pytest.raises(JournalError, match="no fault is applied"):
        journal.intend(undo("slow"))
    journal.close()


def test_a_second_journal_of_the_same_name_is_refused(tmp_path: Path) -> None:
    """A journal is never overwritten."""
    path = journal_path(tmp_path)
    Journal.open(path, RUN).close()
    with pytest.raises(JournalError, match="File exists"):
        Journal.open(path, RUN)


def test_pending_lists_intents_without_verification_last_first(tmp_path: Path) -> None:
    """Only ``verified`` removes a fault from the list; ``applied`` and ``undone`` do not."""
    path = journal_path(tmp_path)
    journal = Journal.open(path, RUN)
    for fault_id in ("a", "b", "c", "d"):
        journal.intend(undo(fault_id))
    journal.mark("a", "verified")
    journal.mark("b", "applied")
    journal.mark("c", "undone")
    journal.close()
    assert pending(path) == [undo("d"), undo("c"), undo("b")]


@pytest.mark.parametrize("takes", [0, 1, 20, 1000])
def test_an_incomplete_line_of_a_full_disk_is_removed_before_the_next(
    tmp_path: Path, takes: int
) -> None:
    """A disk that was full for a moment does not join two lines into an unreadable one."""
    path, files = journal_path(tmp_path), FillingFiles()
    journal = Journal.open(path, RUN, files)
    for fault_id in ("one", "two", "three"):
        journal.intend(undo(fault_id))
    files.takes = takes
    with pytest.raises(JournalError):
        journal.mark("one", "applied")
    files.takes = None
    journal.mark("two", "verified")
    journal.close()
    assert pending(path) == [undo("three"), undo("one")]


@pytest.mark.parametrize("cut", [1, 2, 3, 40])
def test_an_incomplete_last_line_is_ignored(tmp_path: Path, cut: int) -> None:
    """A run that is killed while it writes an intent has not applied that fault; earlier intents still count."""
    path = journal_path(tmp_path)
    journal = Journal.open(path, RUN)
    journal.intend(undo("whole"))
    journal.intend(undo("torn"))
    journal.close()
    path.write_bytes(path.read_bytes()[:-cut])
    assert pending(path) == [undo("whole")]


def test_a_resumed_journal_removes_the_incomplete_line(tmp_path: Path) -> None:
    """What recovery writes is not appended to an incomplete line."""
    path = journal_path(tmp_path)
    journal = Journal.open(path, RUN)
    journal.intend(undo("slow"))
    journal.close()
    path.write_bytes(path.read_bytes() + b'{"kind":"mark","fault_id":"sl')
    resumed = Journal.resume(path)
    assert resumed is not None
    resumed.mark("slow", "verified")
    resumed.close()
    assert pending(path) == []


def test_an_invalid_line_is_an_error_with_its_number(tmp_path: Path) -> None:
    """An invalid line inside the journal may hide an intent."""
    path = journal_path(tmp_path)
    Journal.open(path, RUN).close()
    path.write_bytes(path.read_bytes() + b"garbage\n")
    with pytest.raises(JournalError, match=r"journal\.jsonl:2: .*garbage"):
        pending(path)


def test_the_journal_of_a_live_run_is_locked(tmp_path: Path) -> None:
    """While it is open it can be neither listed nor resumed; after closing, it can."""
    path = journal_path(tmp_path)
    journal = Journal.open(path, RUN)
    journal.intend(undo("slow"))
    assert Journal.resume(path) is None
    assert recoverable(tmp_path) == []
    journal.close()
    assert recoverable(tmp_path) == [path]
    resumed = Journal.resume(path)
    assert resumed is not None
    assert Journal.resume(path) is None
    resumed.mark("slow", "verified")
    resumed.close()
    assert recoverable(tmp_path) == []


def test_an_unreadable_journal_is_listed(tmp_path: Path) -> None:
    """Recovery does not ignore a journal that it cannot read."""
    path = journal_path(tmp_path)
    path.write_bytes(b"garbage\n")
    assert recoverable(tmp_path) == [path]


def test_runs_without_a_journal_need_no_recovery(tmp_path: Path) -> None:
    """A missing runs folder, or one without journals, gives an empty list."""
    assert recoverable(tmp_path / "none") == []
    (tmp_path / "run").mkdir()
    assert recoverable(tmp_path) == []
