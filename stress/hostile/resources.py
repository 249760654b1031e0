"""A process seen from outside: its memory, open files, metric series and log."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

RSS_GROWTH_MIB_MAX = 16.0
"""Growth allowed after the warm-up: caches fill and allocators fragment, but nothing may keep growing."""
FILES_GROWTH_MAX = 16
"""Connection pools may hold more connections than before."""
METRIC_LINES_MAX = 3_000
"""A histogram child is 15 lines: enough for every route, status and mechanism, but not for a label per path."""
SETTLE_S = 8.0
LOG_FORBIDDEN = ('"level":"ERROR"', '"exception"', "Traceback", "--- Logging error ---")


@dataclass(frozen=True)
class Process:
    """One service under attack. ``log`` is the file of its standard output."""

    name: str
    host: str
    port: int
    pid: int
    log: Path


@dataclass(frozen=True)
class Resources:
    """What a process holds at one moment."""

    rss_mib: float
    files: int
    metric_lines: int
    active_requests: float


async def measure(process: Process) -> Resources:
    """Measure now.

    Raises:
        psutil.NoSuchProcess: the process has ended.
        aiohttp.ClientError: it does not answer.
    """
    seen = psutil.Process(process.pid)
    url = f"http://{process.host}:{process.port}/metrics"
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session, session.get(url) as response:
        lines = (await response.text()).splitlines()
    active = next(line for line in lines if line.startswith("http_server_active_requests"))
    rss_mib = seen.memory_info().rss / 2**20
    return Resources(rss_mib, seen.num_fds(), len(lines), float(active.split()[-1]))


async def measure_settled(process: Process, files: int) -> Resources:
    """Measure once the connections of the attack are closed, or after ``SETTLE_S``. Raises like ``measure``."""
    now = await measure(process)
    for _ in range(round(SETTLE_S / 0.25)):
        if now.files <= files + FILES_GROWTH_MAX and now.active_requests == 0:
            break
        await asyncio.sleep(0.25)
        now = await measure(process)
    return now


def growth(before: Resources, after: Resources) -> list[str]:
    """Describe each resource that grew beyond its bound."""
    grown = after.rss_mib - before.rss_mib
    found = []
    if grown > RSS_GROWTH_MIB_MAX:
        found.append(f"memory grew by {grown:.1f} MiB (allowed: {RSS_GROWTH_MIB_MAX:.0f})")
    if after.files > before.files + FILES_GROWTH_MAX:
        found.append(f"open files grew from {before.files} to {after.files}")
    if after.metric_lines > METRIC_LINES_MAX:
        found.append(f"{after.metric_lines} lines of metrics (allowed: {METRIC_LINES_MAX})")
    if after.active_requests:
        found.append(f"{after.active_requests:.0f} requests are still active")
    return found


@contextmanager
def log_checked(process: Process, found: list[str]) -> Iterator[None]:
    """Add to ``found`` the first five log lines written during the body that report an error."""
    start = process.log.stat().st_size
    yield
    with process.log.open("rb") as log:
        log.seek(start)
        for line in log:
            text = line.decode("utf-8", "replace")
            if any(word in text for word in LOG_FORBIDDEN) and len(found) < 5:
                found.append(f"log: {text.strip()[:500]}")
