"""The environment of a run (versions, cores, memory, load), written at its start to ``environment.json``."""

import asyncio
import contextlib
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import asyncpg
import psutil

from aguante.clients.toxiproxy_client import ToxiproxyClient, ToxiproxyError
from aguante.core.values import Value
from aguante.testbed.runtime import Testbed

GIT_LIMIT_S = 5.0
ASK_LIMIT_S = 5.0
PACKAGES = ("aguante", "aiohttp", "asyncpg", "locust", "opentelemetry-sdk", "pybreaker", "uvloop")


class Environment(Value):
    """The machine and the programs of one run. Unknown text is empty."""

    system: str
    """``Linux 6.8.0 x86_64``."""
    python: str
    source: str
    """``git describe`` of the checkout that the runner's code is in; empty outside a checkout."""
    packages: tuple[tuple[str, str], ...]
    toxiproxy: str
    postgresql: str
    cores: int
    """Number of cores that this process may use."""
    memory_bytes: int
    memory_available_bytes: int
    load_1m: float
    """Load average of the last minute at the start; above ``cores``, the timings of this run mean little."""
    load_5m: float


def read_environment() -> Environment:
    """Describe this machine; takes a few milliseconds and never fails. ``add_server_versions`` adds the servers."""
    memory = psutil.virtual_memory()
    load_1m, load_5m, _ = os.getloadavg()
    return Environment(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        source=git_describe(Path(__file__).parents[2]),
        packages=tuple((name, found) for name in PACKAGES if (found := _installed(name))),
        toxiproxy="",
        postgresql="",
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=memory.total,
        memory_available_bytes=memory.available,
        load_1m=round(load_1m, 2),
        load_5m=round(load_5m, 2),
    )


async def add_server_versions(path: Path, testbed: Testbed) -> None:
    """Add the versions of a testbed's servers to ``environment.json``; a server that does not answer stays empty.

    Raises:
        OSError: the file cannot be read or written.
    """
    toxiproxy, postgresql = await asyncio.gather(
        asyncio.to_thread(_toxiproxy_version, testbed.toxiproxy), _postgresql_version(testbed)
    )
    found = Environment.model_validate_json(await asyncio.to_thread(path.read_bytes))
    complete = found.model_copy(update={"toxiproxy": toxiproxy, "postgresql": postgresql})
    await asyncio.to_thread(path.write_text, complete.model_dump_json(indent=2))


def _toxiproxy_version(api: str) -> str:
    with contextlib.suppress(ToxiproxyError):
        return ToxiproxyClient(api).version()
    return ""


async def _postgresql_version(testbed: Testbed) -> str:
    if not testbed.databases:
        return ""
    with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError):
        connection = await asyncpg.connect(testbed.databases[0].dsn, timeout=ASK_LIMIT_S)
        try:
            return str(await connection.fetchval("SHOW server_version", timeout=ASK_LIMIT_S))
        finally:
            await connection.close(timeout=ASK_LIMIT_S)
    return ""


def git_describe(folder: Path) -> str:
    """``v0.1.0-3-g1a2b3c4-dirty`` or ``1a2b3c4``; empty where this is no git checkout."""
    if not (folder / ".git").exists():
        return ""  # a package installed below somebody else's checkout
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--tags"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=GIT_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
