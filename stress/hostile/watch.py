"""What a process holds, from outside: memory, files, children of its metrics, and what it wrote into its log."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

RSS_GROWTH_MIB_MAX = 16.0
"""Between the end of the warm-up and the end: caches fill and allocators fragment, but nothing may keep growing."""
FILES_GROWTH_MAX = 16
"""Pools of connections may be fuller than before."""
METRIC_LINES_MAX = 3_000
"""A histogram child is 15 lines: this is room for every route, status and mechanism there is, and for no path."""
SETTLE_S = 8.0
LOG_FORBIDDEN = ('"level":"ERROR"', '"exception"', "Traceback", "--- Logging error ---")


@dataclass(frozen=True)
class Process:
    """One service under attack. ``log``: its standard output; ``start``: from where in it the attack begins."""

    name: str
    host: str
    port: int
    pid: int
    log: Path


@dataclass(frozen=True)
class Held:
    """What it held at one moment."""

    rss_mib: float
    files: int
    metric_lines: int
    active_requests: float


async def held(process: Process) -> Held:
    """Measure; raises ``psutil.NoSuchProcess`` or ``aiohttp.ClientError`` when it is not alive."""
    seen = psutil.Process(process.pid)
    url = f"http://{process.host}:{process.port}/metrics"
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session, session.get(url) as answer:
        lines = (await answer.text()).splitlines()
    active = next(line for line in lines if line.startswith("http_server_active_requests"))
    rss_mib = seen.memory_info().rss / 2**20
    return Held(rss_mib, seen.num_fds(), len(lines), float(active.split()[-1]))


async def settled(process: Process, files: int) -> Held:
    """Measure once it has let go of what the attack left open, or ``SETTLE_S`` later."""
    now = await held(process)
    for _ in range(round(SETTLE_S / 0.25)):
        if now.files <= files + FILES_GROWTH_MAX and now.active_requests == 0:
            break
        await asyncio.sleep(0.25)
        now = await held(process)
    return now


def growth(before: Held, after: Held) -> list[str]:
    """Return what grew beyond its bound."""
    grown = after.rss_mib - before.rss_mib
    found = []
    if grown > RSS_GROWTH_MIB_MAX:
        found.append(f"memory grew by {grown:.1f} MiB (allowed: {RSS_GROWTH_MIB_MAX:.0f})")
    if after.files > before.files + FILES_GROWTH_MAX:
        found.append(f"open files grew from {before.files} to {after.files}")
    if after.metric_lines > METRIC_LINES_MAX:
        found.append(f"{after.metric_lines} lines of metrics (allowed: {METRIC_LINES_MAX})")
    if after.active_requests:
        found.append(f"{after.active_requests:.0f} requests are still being worked on")
    return found


@contextmanager
def log_watched(process: Process, found: list[str]) -> Iterator[None]:
    """Add to ``found`` the lines that must not be in a log, written while the body ran."""
    start = process.log.stat().st_size
    yield
    with process.log.open("rb") as log:
        log.seek(start)
        for line in log:
            text = line.decode("utf-8", "replace")
            if any(word in text for word in LOG_FORBIDDEN) and len(found) < 5:
                found.append(f"log: {text.strip()[:500]}")
