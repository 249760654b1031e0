"""Where a run took place: versions, cores, memory, load. Written once, at the start, to ``environment.json``."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from aguante.values import Value

GIT_LIMIT_S = 5.0
PACKAGES = ("aguante", "aiohttp", "asyncpg", "locust", "opentelemetry-sdk", "pybreaker", "uvloop")


class Environment(Value):
    """The machine and the programs of one run. Text that is not known is empty, a number None."""

    system: str
    """``Linux 6.8.0 x86_64``."""
    python: str
    source: str
    """``git describe`` of the checkout that the runner's code comes from; empty outside a checkout."""
    packages: tuple[tuple[str, str], ...]
    toxiproxy: str
    postgresql: str
    cores: int
    """Those that this process may use."""
    memory_bytes: int
    memory_available_bytes: int
    load_1m: float
    """Load average of the last minute at the start; above ``cores``, times of this run say little."""
    load_5m: float


def read_environment(toxiproxy: str = "", postgresql: str = "") -> Environment:
    """Look at this machine; takes a few milliseconds, and never fails.

    Args:
        toxiproxy: version of the server that will be used, as the runtime knows it.
        postgresql: the same of PostgreSQL.
    """
    memory = psutil.virtual_memory()
    load_1m, load_5m, _ = os.getloadavg()
    return Environment(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        source=git_describe(Path(__file__).parents[1]),
        packages=tuple((name, found) for name in PACKAGES if (found := _installed(name))),
        toxiproxy=toxiproxy,
        postgresql=postgresql,
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=memory.total,
        memory_available_bytes=memory.available,
        load_1m=round(load_1m, 2),
        load_5m=round(load_5m, 2),
    )


def git_describe(folder: Path) -> str:
    """``v0.1.0-3-g1a2b3c4-dirty`` or ``1a2b3c4``; empty where this is no git checkout."""
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
