"""The private folder of each testbed: locked while the testbed is alive, removed later if its runner was killed.

    <parent>/017.lock      held (flock) while testbed 017 is alive; never removed, so that only one can hold it
    <parent>/017-3fa9/     its folder: state.json, logs/, data/ (PostgreSQL's; a link if the data is in memory)

If a lock can be taken, its testbed is dead: its processes are ended and its folder is removed. The runner holds the
lock of its own testbed; the processes of a detached testbed inherit the lock and hold it.
"""

import contextlib
import os
import re
import secrets
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from aguante.clients.docker_cli import Docker, DockerError
from aguante.clients.docker_project import remove_project
from aguante.core.file_lock import try_lock
from aguante.core.values import Value
from aguante.runtimes.ports import SLOTS
from aguante.runtimes.processes import ProcessRef, end
from aguante.testbed.runtime import Testbed, TestbedError

MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of ours below it is checked to be ours
"""Linux's file system in memory. ext4 takes 0.6 s or more to create PostgreSQL's 2000 files if other files were just
deleted (it skips ``recently_deleted`` inodes); memory takes 0.07 s."""
MEMORY_NEEDED_BYTES = 4 * 1024**3
"""A testbed writes about 100 MB. With less free memory than this, its data goes to the disk."""

_FOLDER = re.compile(r"(?:aguante-)?(?P<slot>\d{3})-[0-9a-f]{4}")
PROJECT_PREFIX = "aguante-"
"""Prefix of the id of a testbed of containers, because the id is also the name of its Compose project."""


class SavedState(Value):
    """``state.json``: the data needed to end a testbed, and its addresses once it is up."""

    id: str
    owner: ProcessRef
    """The runner that started it."""
    detached: bool
    processes: tuple[ProcessRef, ...] = ()
    """In the order in which they were started."""
    testbed: Testbed | None = None
    """None while it is starting."""
    project: str = ""
    """The Compose project of its containers; empty: plain processes."""

    @property
    def up(self) -> Testbed:
        """The testbed.

        Raises:
            TestbedError: it is still starting.
        """
        if self.testbed is None:
            message = f"testbed {self.id} is still starting: wait a moment"
            raise TestbedError(message)
        return self.testbed


def default_parent(environ: Mapping[str, str] = os.environ) -> Path:
    """Return ``AGUANTE_STATE``, or this user's folder for temporary files: testbeds do not survive a reboot."""
    configured = environ.get("AGUANTE_STATE")
    return Path(configured) if configured else shared_folder()


def shared_folder() -> Path:
    """Return this user's folder for temporary files."""
    return Path(tempfile.gettempdir()) / f"aguante-{os.getuid()}"


def make_private(folder: Path) -> None:
    """Create a folder that only we can read.

    If we are root, others can traverse it (0711), because PostgreSQL runs as another user and needs its data.

    Raises:
        TestbedError: it cannot be created, or another user owns it.
    """
    mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            message = f"{folder} is not a folder of this user: set AGUANTE_STATE to one that is"
            raise TestbedError(message)
        folder.chmod(mode)
    except OSError as why:
        message = f"{folder} cannot be used: {why}: set AGUANTE_STATE to a folder of your own"
        raise TestbedError(message) from why


class Workspace:
    """The folder of one testbed that is alive, with its lock."""

    def __init__(self, root: Path, slot: int, lock: int) -> None:
        self.root = root
        self.slot = slot
        self.lock = lock
        """File descriptor; the testbed counts as alive while any process has it open."""

    @property
    def id(self) -> str:
        """The name of the folder."""
        return self.root.name

    @property
    def logs(self) -> Path:
        """The folder of logs, one file per process."""
        return self.root / "logs"

    @property
    def data(self) -> Path:
        """The folder that PostgreSQL and sidecars write to."""
        return self.root / "data"

    def save(self, state: SavedState) -> None:
        """Replace ``state.json`` atomically."""
        fresh = self.root / "state.json.new"
        fresh.write_text(state.model_dump_json(indent=2))
        fresh.replace(self.root / "state.json")

    def remove(self) -> None:
        """Remove the folder and release the lock."""
        remove_folder(self.root)
        self.release()

    def release(self) -> None:
        """Release the lock; processes that inherited it still hold it."""
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


async def claim(parent: Path, *, memory: Path | None = None, prefix: str = "") -> Workspace:
    """Remove what killed runs left, then create the folder of a new testbed.

    Args:
        parent: folder of all testbeds.
        memory: a file system in memory for ``data``; used if it has enough room.
        prefix: prefix of its id.

    Raises:
        TestbedError: the parent cannot be used, or all slots are taken.
    """
    make_private(parent)
    await sweep(parent)
    first = secrets.randbelow(
        SLOTS
    )  # random, so that testbeds with different parents rarely compete for ports
    for at in range(SLOTS):
        slot = (first + at) % SLOTS
        lock = _lock(parent, slot)
        if lock is None:
            continue
        root = parent / f"{prefix}{slot:03d}-{secrets.token_hex(2)}"
        workspace = Workspace(root, slot, lock)
        make_private(root)
        workspace.logs.mkdir()
        _make_data_folder(workspace, memory)
        return workspace
    message = f"{SLOTS} testbeds run under {parent}: end some (`aguante ps`, `aguante down ID`)"
    raise TestbedError(message)


async def sweep(parent: Path) -> tuple[str, ...]:
    """End and remove testbeds that killed runs left; return their ids.

    Containers and their folder stay if Docker does not respond; a command that needs Docker reports the reason.
    """
    removed = []
    for root in folders(parent):
        lock = _lock(parent, _slot_of(root))
        if lock is None:
            continue
        try:
            if await _sweep_one(root):
                removed.append(root.name)
        finally:
            os.close(lock)
    return tuple(removed)


async def _sweep_one(root: Path) -> bool:
    """End and remove one dead testbed; False if it is alive, or cannot be removed now."""
    saved = read_state(root)
    if saved and saved.project:
        if saved.detached:  # no process holds its lock; it lives until `aguante down`
            return False
        try:
            await remove_project(Docker(), saved.project)
        except DockerError:
            return False
    if saved:
        await end(saved.processes, signal.SIGKILL, 0.0)
    remove_folder(root)
    return True


def remove_folder(root: Path) -> None:
    """Remove a testbed's folder and its data in memory; missing parts are ignored."""
    data = root / "data"
    if data.is_symlink():
        shutil.rmtree(data.readlink(), ignore_errors=True)
    shutil.rmtree(root, ignore_errors=True)


def _make_data_folder(workspace: Workspace, memory: Path | None) -> None:
    if memory is None or not _has_room(memory):
        make_private(workspace.data)
        return
    home = memory / f"aguante-{os.getuid()}"
    make_private(home)
    target = home / workspace.id
    workspace.data.symlink_to(
        target
    )  # first, so that a sweep finds the target after a kill in between
    make_private(target)


def _has_room(memory: Path) -> bool:
    try:
        found = os.statvfs(memory)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize >= MEMORY_NEEDED_BYTES and os.access(memory, os.W_OK)


def folders(parent: Path) -> tuple[Path, ...]:
    """Return the folders of all testbeds, alive or dead."""
    if not parent.is_dir():
        return ()
    return tuple(sorted(path for path in parent.iterdir() if _FOLDER.fullmatch(path.name)))


def is_held(root: Path) -> bool:
    """Whether the testbed of this folder is alive."""
    lock = _lock(root.parent, _slot_of(root))
    if lock is None:
        return True
    os.close(lock)
    return False


def read_state(root: Path) -> SavedState | None:
    """Return the contents of a folder's ``state.json``; None if it is missing or of another version."""
    with contextlib.suppress(OSError, ValueError):
        return SavedState.model_validate_json((root / "state.json").read_bytes())
    return None


def live_testbeds(parent: Path) -> Iterator[SavedState]:
    """Yield the states of all testbeds that are alive."""
    for root in folders(parent):
        saved = read_state(root)
        if saved and (is_held(root) or (saved.project and saved.detached)):
            yield saved


def _slot_of(root: Path) -> int:
    match = _FOLDER.fullmatch(root.name)
    assert match is not None  # noqa: S101 - ``folders`` gives no others
    return int(match["slot"])


def _lock(parent: Path, slot: int) -> int | None:
    return try_lock(parent / f"{slot:03d}.lock")
