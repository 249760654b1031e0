"""Compares the whole stack with a bare aiohttp chain of five services in the same run.

For each concurrency it prints confirmed reservations per second, latency, and CPU seconds per 1000 (all
processes of the system, without the client), then the ratio stack / bare. Bursts alternate between bare
and stack, so that a drift of the machine's speed affects both.

    python -m benchmarks.stack [--requests N] [--rounds N]
"""

import argparse
import asyncio
import contextlib
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

from aguante.collect.otlp_collector import Collector
from aguante.load.seed_events import seed_events
from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.testbed.testbed_file import load_testbed
from benchmarks.closed_loop import Burst, burst

ROOT = Path(__file__).parents[1]
CONCURRENCIES = (1, 16, 64)


@dataclass(frozen=True)
class Subject:
    """A system under load: its URL, its events, and the processes whose CPU is counted."""

    name: str
    url: str
    event_ids: tuple[str, ...]
    pids: tuple[int, ...]

    def body(self, number: int) -> dict[str, object]:
        """The body of request ``number``."""
        event_id = self.event_ids[number % len(self.event_ids)]
        return {"user_id": f"user-{number}", "event_id": event_id, "quantity": 1}


@dataclass(frozen=True)
class Sample:
    """One burst and its CPU cost."""

    burst: Burst
    cpu_s: float

    @property
    def cpu_s_per_1000(self) -> float:
        """CPU seconds of all processes of the system per 1000 responses of 200."""
        return 1000 * self.cpu_s / self.burst.ok if self.burst.ok else float("nan")


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of these processes and their living children so far."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            for member in (process, *process.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = member.cpu_times()
                    total += times.user + times.system
    return total


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that are free now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


@contextlib.asynccontextmanager
async def bare_chain() -> AsyncIterator[Subject]:
    """Five bare processes: gateway -> reservations -> inventory, payments, notifications."""
    ports = free_ports(5)
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    peers = [[urls[1]], urls[2:], [], [], []]
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.bare_service", str(port), *named, cwd=ROOT
        )
        for port, named in zip(ports, peers, strict=True)
    ]
    try:
        for url in urls:
            await _listening(url)
        yield Subject("bare", f"{urls[0]}/call", ("e",), tuple(p.pid for p in processes))
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            await process.wait()


async def _listening(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(100):
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with session.get(url):
                    return
            await asyncio.sleep(0.1)
    message = f"{url} did not start within 10 s"
    raise TimeoutError(message)


@contextlib.asynccontextmanager
async def whole_stack() -> AsyncIterator[Subject]:
    """The native testbed as in a run: every proxy, PostgreSQL, traces to a collector."""
    spec = load_testbed(ROOT / "testbed.yaml")
    with tempfile.TemporaryDirectory() as folder:
        async with Collector(Path(folder) / "otlp.bin") as collector:
            runtime = NativeRuntime()
            began = time.perf_counter()
            testbed = await runtime.up(spec, "default", collector.endpoint)
            print(f"native testbed ready in {time.perf_counter() - began:.2f} s")
            try:
                events = await seed_events(spec, testbed, "benchmark")
                pids = (*(s.pid for s in testbed.services), *testbed.servers.values())
                yield Subject("stack", f"{testbed.gateway}/reserve", tuple(events), pids)
            finally:
                await runtime.down()


async def sample(subject: Subject, concurrency: int, requests: int) -> Sample:
    """Play one burst and measure its CPU time."""
    before = cpu_seconds(subject.pids)
    seen = await burst(subject.url, subject.body, concurrency=concurrency, requests=requests)
    return Sample(seen, cpu_seconds(subject.pids) - before)


def row(name: str, concurrency: int, samples: Sequence[Sample]) -> tuple[float, float]:
    """Print the medians of one system; return (ok/s, CPU-s per 1000)."""
    ok = statistics.median(s.burst.ok_per_s for s in samples)
    cpu = statistics.median(s.cpu_s_per_1000 for s in samples)
    p50 = statistics.median(s.burst.percentile_ms(0.5) for s in samples)
    p99 = statistics.median(s.burst.percentile_ms(0.99) for s in samples)
    other = sum(s.burst.other for s in samples)
    print(f"{concurrency:>4}  {name:<6}{ok:>9.1f}{p50:>9.1f}{p99:>9.1f}{cpu:>12.2f}{other:>9}")
    return ok, cpu


async def compare(requests: int, rounds: int) -> None:
    """Play all bursts and print the table."""
    async with bare_chain() as bare, whole_stack() as stack:
        print(f"{rounds} rounds of {requests} requests each, medians; not-200 summed")
        print("   c  what       ok/s   p50 ms   p99 ms  CPU-s/1000  not-200")
        for concurrency in CONCURRENCIES:
            await sample(bare, concurrency, requests // 4)
            await sample(stack, concurrency, requests // 4)
            pairs = [
                (
                    await sample(bare, concurrency, requests),
                    await sample(stack, concurrency, requests),
                )
                for _ in range(rounds)
            ]
            ok_bare, cpu_bare = row("bare", concurrency, [pair[0] for pair in pairs])
            ok_stack, cpu_stack = row("stack", concurrency, [pair[1] for pair in pairs])
            print(
                f"      ratio stack/bare: ok/s {ok_stack / ok_bare:.2f}, CPU {cpu_stack / cpu_bare:.1f}"
            )


def main() -> None:
    """Compare with the given numbers of requests and rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    asyncio.run(compare(arguments.requests, arguments.rounds))


if __name__ == "__main__":
    main()
