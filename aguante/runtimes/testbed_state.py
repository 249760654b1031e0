"""Private folders of testbeds: one each, locked while it lives, swept when its runner was killed.

    <parent>/017.lock      held (flock) while testbed 017 lives; never removed, so that no two can hold it
    <parent>/017-3fa9/     its folder: state.json, logs/, data (PostgreSQL's; a link where it lies in memory)

A lock that can be taken belongs to a testbed that is dead: what it left is ended and removed. An
attached testbed's lock is held by its runner; a detached one's by its own processes, which inherit it.
"""

import contextlib
import fcntl
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
from aguante.core.values import Value
from aguante.runtimes.ports import SLOTS
from aguante.runtimes.processes import ProcessRef, end
from aguante.testbed.runtime import Testbed, TestbedError

MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of ours below it is checked to be ours
"""Linux's file system in memory. ext4 takes 0.6 s and more to make PostgreSQL's 2000 files when others
were deleted a moment ago (it looks for inodes that were not: ``recently_deleted``); memory takes 0.07 s."""
MEMORY_NEEDED_BYTES = 4 * 1024**3
"""A testbed writes some 100 MB; one that comes near the limit should be on a disk from the start."""

_FOLDER = re.compile(r"(?:aguante-)?(?P<slot>\d{3})-[0-9a-f]{4}")
CONTAINERS = "aguante-"
"""Before the id of a testbed of containers: it is their project's name, and Docker is everybody's."""


class SavedState(Value):
    """``state.json``: what is needed to end a testbed, and its addresses once it is up."""

    id: str
    owner: ProcessRef
    """The runner that started it."""
    detached: bool
    processes: tuple[ProcessRef, ...] = ()
    """In the order in which they are ended."""
    testbed: Testbed | None = None
    """None while it is starting."""
    project: str = ""
    """The Compose project whose containers it is made of; empty: plain processes."""

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
    """``AGUANTE_STATE``, else a folder of this user among the temporary files: testbeds do not outlive a boot."""
    configured = environ.get("AGUANTE_STATE")
    return Path(configured) if configured else shared_folder()


def shared_folder() -> Path:
    """This user's folder among the temporary files."""
    return Path(tempfile.gettempdir()) / f"aguante-{os.getuid()}"


def make_private(folder: Path) -> None:
    """Make a folder that only we can read.

    As root it can be passed through (0711), since PostgreSQL runs as another user and must reach its data.

    Raises:
        TestbedError: it cannot be made, or somebody else owns it.
    """
    mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            message = (
                f"{folder} belongs to somebody else: set AGUANTE_STATE to a folder of your own"
            )
            raise TestbedError(message)
        folder.chmod(mode)
    except OSError as why:
        message = f"{folder} cannot be used: {why}: set AGUANTE_STATE to a folder of your own"
        raise TestbedError(message) from why


class Workspace:
    """The folder of one living testbed, with its lock."""

    def __init__(self, root: Path, slot: int, lock: int) -> None:
        self.root = root
        self.slot = slot
        self.lock = lock
        """File descriptor; whoever has it open keeps the testbed alive."""

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.root.name

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.root / "logs"

    @property
    def data(self) -> Path:
        """What PostgreSQL writes below."""
        return self.root / "data"

    def save(self, state: SavedState) -> None:
        """Replace ``state.json`` as a whole: a reader never sees half of it."""
        fresh = self.root / "state.json.new"
        fresh.write_text(state.model_dump_json(indent=2))
        fresh.replace(self.root / "state.json")

    def remove(self) -> None:
        """Remove the folder and let go of the lock."""
        remove_folder(self.root)
        self.release()

    def release(self) -> None:
        """Let go of the lock; processes that inherited it go on holding it."""
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


async def claim(parent: Path, *, memory: Path | None = None, prefix: str = "") -> Workspace:
    """Sweep what killed runs left, then make the folder of a new testbed.

    Args:
        parent: folder of all testbeds.
        memory: a file system in memory that shall hold ``data``, where it has room.
        prefix: of its id.

    Raises:
        TestbedError: the parent cannot be used, or all slots are taken.
    """
    make_private(parent)
    await sweep(parent)
    first = secrets.randbelow(SLOTS)  # so that folders with different parents rarely share ports
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
    """End and remove what killed runs left behind; returns the ids of what was removed.

    Containers are left, with their folder, while Docker does not answer: whoever needs Docker says why.
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
    """End and remove one dead testbed; False when it is not dead, or cannot be removed now."""
    saved = read_state(root)
    if saved and saved.project:
        if saved.detached:  # no process of ours holds its lock: it lives until it is told to end
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
    """Remove a testbed's folder, with what it keeps in memory; whatever is gone already is passed over."""
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
    workspace.data.symlink_to(target)  # first, so that a kill in between leaves nothing unnamed
    make_private(target)


def _has_room(memory: Path) -> bool:
    try:
        found = os.statvfs(memory)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize >= MEMORY_NEEDED_BYTES and os.access(memory, os.W_OK)


def folders(parent: Path) -> tuple[Path, ...]:
    """The folders of all testbeds, living and dead."""
    if not parent.is_dir():
        return ()
    return tuple(sorted(path for path in parent.iterdir() if _FOLDER.fullmatch(path.name)))


def is_held(root: Path) -> bool:
    """Whether the testbed of this folder lives."""
    lock = _lock(root.parent, _slot_of(root))
    if lock is None:
        return True
    os.close(lock)
    return False


def read_state(root: Path) -> SavedState | None:
    """What a folder's ``state.json`` says; None when there is none yet, or it is of another version."""
    with contextlib.suppress(OSError, ValueError):
        return SavedState.model_validate_json((root / "state.json").read_bytes())
    return None


def living(parent: Path) -> Iterator[SavedState]:
    """The states of all testbeds that live."""
    for root in folders(parent):
        saved = read_state(root)
        if saved and (is_held(root) or (saved.project and saved.detached)):
            yield saved


def _slot_of(root: Path) -> int:
    match = _FOLDER.fullmatch(root.name)
    assert match is not None  # noqa: S101 - ``folders`` gives no others
    return int(match["slot"])


def _lock(parent: Path, slot: int) -> int | None:
    """Take a slot's lock; None when it is held."""
    descriptor = os.open(parent / f"{slot:03d}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
