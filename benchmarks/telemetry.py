"""Whether a dead trace collector costs requests: compares testbeds whose collector is healthy, missing, or dead.

One testbed for each kind, all up at once, loaded in turn and in a different order each round, so that a drift of the
machine's speed affects all. Ratios are to ``none``, where spans are made (trace ids are needed) and not exported.
``healthy`` shows the cost of exporting; a dead collector must not cost more.

    python -m benchmarks.telemetry [--requests N] [--rounds N] [--concurrency N]
"""

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from aguante.collect.metrics_scraper import spans_dropped
from aguante.collect.otlp_collector import Collector
from aguante.load.seed_events import seed_events
from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.testbed.runtime import Testbed
from aguante.testbed.testbed_file import load_testbed
from benchmarks.closed_loop import Burst, burst
from benchmarks.dead_collectors import DEAD

ROOT = Path(__file__).parents[1]
KINDS = ("none", "healthy", *DEAD)


@dataclass
class Subject:
    """One testbed and its measurements."""

    kind: str
    runtime: NativeRuntime
    testbed: Testbed
    event_ids: Sequence[str]
    bursts: list[Burst] = field(default_factory=list)
    memory_before: int = 0
    """Bytes of all five services after the first burst."""
    ended_s: float = 0.0
    """How long ending the testbed took."""

    def body(self, number: int) -> dict[str, object]:
        """The body of request ``number``."""
        event_id = self.event_ids[number % len(self.event_ids)]
        return {"user_id": f"user-{number}", "event_id": event_id, "quantity": 1}

    def memory(self) -> int:
        """Resident bytes of the five services."""
        return sum(psutil.Process(each.pid).memory_info().rss for each in self.testbed.services)


@contextlib.asynccontextmanager
async def endpoint_of(kind: str, folder: Path) -> AsyncIterator[str]:
    """The base URL of a collector of this kind; empty for ``none``."""
    if kind == "none":
        yield ""
    elif kind == "healthy":
        async with Collector(folder / "otlp.bin") as collector:
            yield collector.endpoint
    else:
        with DEAD[kind]() as endpoint:
            yield endpoint


@contextlib.asynccontextmanager
async def subject(kind: str, folder: Path) -> AsyncIterator[Subject]:
    """A testbed whose collector is of this kind; measures how long it takes to end."""
    spec, runtime = load_testbed(ROOT / "testbed.yaml"), NativeRuntime()
    async with endpoint_of(kind, folder) as endpoint:
        testbed = await runtime.up(spec, "default", endpoint)
        loaded = Subject(kind, runtime, testbed, ())
        try:
            loaded.event_ids = await seed_events(spec, testbed, "benchmark")
            yield loaded
        finally:
            began = time.perf_counter()
            await runtime.down()
            loaded.ended_s = time.perf_counter() - began


async def load(each: Subject, requests: int, concurrency: int) -> Burst:
    """Play one burst of reservations."""
    url = f"{each.testbed.gateway}/reserve"
    return await burst(url, each.body, concurrency=concurrency, requests=requests)


async def compare(requests: int, rounds: int, concurrency: int) -> None:
    """Play all bursts and print the table."""
    lost: dict[str, int] = {}
    grown: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        async with contextlib.AsyncExitStack() as stack:
            folder = Path(name)
            subjects = [await stack.enter_async_context(subject(kind, folder)) for kind in KINDS]
            for each in subjects:
                await load(each, requests, concurrency)
                each.memory_before = each.memory()
            for number in range(rounds):
                shift = number % len(subjects)
                for each in subjects[shift:] + subjects[:shift]:
                    each.bursts.append(await load(each, requests, concurrency))
            for each in subjects:
                lost[each.kind] = sum(filter(None, (await spans_dropped(each.testbed)).values()))
                grown[each.kind] = (each.memory() - each.memory_before) / 2**20
    report(subjects, lost, grown, f"{rounds} rounds of {requests} at concurrency {concurrency}")


def report(
    subjects: Sequence[Subject], lost: dict[str, int], grown: dict[str, float], what: str
) -> None:
    """Print medians, and the ratios to ``none``, round by round."""
    print(f"{what}; medians, ratios to none within a round (lowest to highest)")
    print("collector      ok/s  ratio              p50 ms  p99 ms  not-200  dropped  +MiB  down s")
    none = subjects[0].bursts
    for each in subjects:
        ok = statistics.median(b.ok_per_s for b in each.bursts)
        ratios = sorted(b.ok_per_s / n.ok_per_s for b, n in zip(each.bursts, none, strict=True))
        spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        p50 = statistics.median(b.percentile_ms(0.5) for b in each.bursts)
        p99 = statistics.median(b.percentile_ms(0.99) for b in each.bursts)
        other = sum(b.other for b in each.bursts)
        print(
            f"{each.kind:<12}{ok:>7.1f}  {spread:<18}{p50:>7.1f}{p99:>8.1f}{other:>9}"
            f"{lost[each.kind]:>9}{grown[each.kind]:>6.1f}{each.ended_s:>8.1f}"
        )


def main() -> None:
    """Compare with the given load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=16)
    arguments = parser.parse_args()
    asyncio.run(compare(arguments.requests, arguments.rounds, arguments.concurrency))


if __name__ == "__main__":
    main()
