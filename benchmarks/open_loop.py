"""How precisely the load generator follows its plan: 200 requests per second for 10 s on a bare local server.

    python -m benchmarks.open_loop [--rate-rps 200] [--duration-s 10] [--workers 1] [--stack]

``--stack`` plays against the whole system on its own native testbed instead of the bare server. It prints the
achieved share of the planned load (in all, and in the worst second), the lateness and latency of requests
compared with one sequential client, and the generator's start-up time and CPU. The server runs on the same
machine, so its CPU time can make requests late.
"""

import argparse
import asyncio
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
import msgspec
from aiohttp import web

from aguante.load.generator import LoadChild
from aguante.load.seed_events import seed_events
from aguante.load_protocol.records import LoadPlan, LoadSummary, RequestRecord
from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.testbed.testbed_file import load_testbed

ROOT = Path(__file__).parents[1]
READY_LIMIT_S = 30.0
PROBES = 300


@dataclass(frozen=True)
class Played:
    """The result of one run of the generator."""

    summary: LoadSummary
    rows: list[RequestRecord]
    start_up_s: float
    cpu_s: float


def serve(port: Connection) -> None:
    """A server that responds at once; runs in its own process until killed."""

    async def respond(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text="{}", content_type="application/json")

    async def run() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", respond)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port.send(int(runner.addresses[0][1]))
        await asyncio.Event().wait()

    asyncio.run(run())


def load_plan(
    base_url: str, events: Sequence[str], options: argparse.Namespace, folder: Path
) -> LoadPlan:
    """A plan of fixed arrivals with the default mix."""
    rate_rps, duration_s = float(options.rate_rps), float(options.duration_s)
    return LoadPlan(
        base_url=base_url,
        profile="mixed",
        arrivals="fixed",
        rate_rps=rate_rps,
        duration_s=duration_s,
        mix={"reserve": 0.75, "read_event": 0.25},
        event_ids=list(events),
        workers=options.workers,
        # high enough that a stack that cannot keep up is not spared load
        max_outstanding=max(1000, round(rate_rps * 10)),
        seed=1,
        timeout_s=7.0,
        run_id="benchmark",
        experiment="open-loop",
        phases=[("baseline", 0.0, duration_s)],
        records_path=str(folder / "requests.jsonl"),
    )


async def bare_latency_ms(url: str) -> list[float]:
    """The reference: latencies of one sequential aiohttp client."""
    latencies = []
    async with aiohttp.ClientSession() as session:
        for _ in range(PROBES):
            began = time.perf_counter()
            async with session.get(url) as response:
                await response.read()
            latencies.append((time.perf_counter() - began) * 1000)
    return latencies


async def play(plan: LoadPlan, log: Path) -> Played:
    """Play the plan by the real load generator."""
    spec = load_testbed(ROOT / "testbed.yaml")
    before = _children_cpu_s()
    began = time.monotonic()
    async with LoadChild.start(plan, spec, log) as child:
        await child.ready(READY_LIMIT_S)
        start_up_s = time.monotonic() - began
        child.begin(time.monotonic() + 0.3)
        summary = await child.finish(plan.duration_s + plan.timeout_s + 5)
    return Played(summary, _rows(plan), start_up_s, _children_cpu_s() - before)


def _rows(plan: LoadPlan) -> list[RequestRecord]:
    lines = Path(plan.records_path).read_bytes().splitlines()
    return [msgspec.json.decode(line, type=RequestRecord) for line in lines]


def report(plan: LoadPlan, played: Played, bare_ms: list[float]) -> None:
    """Print the ratios to the plan and to the sequential client."""
    rows = played.rows
    planned = plan.rate_rps * plan.duration_s
    seconds = Counter(int(row.started_s) for row in rows)
    worst = min(seconds[second] for second in range(int(plan.duration_s)))
    late_ms = [(row.started_s - row.intended_s) * 1000 for row in rows]
    latency_ms = [row.latency_ms for row in rows]
    print(f"offered {played.summary.offered} of {planned:.0f} planned, shed {played.summary.shed}")
    print(f"achieved/offered             {len(rows) / planned:.4f}")
    print(f"worst second/offered         {worst / plan.rate_rps:.3f}")
    print(f"lateness ms                  p50 {_at(late_ms, 0.5):.2f}  p99 {_at(late_ms, 0.99):.2f}")
    print(
        f"latency ms (from intended)   p50 {_at(latency_ms, 0.5):.2f}  "
        f"p99 {_at(latency_ms, 0.99):.2f}; p50 is {_at(latency_ms, 0.5) / statistics.median(bare_ms):.1f} x "
        f"the bare {statistics.median(bare_ms):.2f}"
    )
    codes = Counter(row.status for row in rows)
    print(
        "responses by status          "
        + ", ".join(f"{code}: {count}" for code, count in sorted(codes.items()))
    )
    print(f"start-up until ready s       {played.start_up_s:.2f}")
    print(
        f"CPU s, start-up and run      {played.cpu_s:.2f} ({played.cpu_s / plan.duration_s:.2f} cores)"
    )


def _at(values: Sequence[float], p: float) -> float:
    return sorted(values)[round(p * (len(values) - 1))]


def _children_cpu_s() -> float:
    """CPU time of ended children, which excludes the running server."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def on_a_bare_server(options: argparse.Namespace, folder: Path) -> None:
    """Play against the bare server."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    try:
        if not ours.poll(READY_LIMIT_S):
            message = "the bare server did not start"
            raise TimeoutError(message)
        url = f"http://127.0.0.1:{ours.recv()}"
        plan = load_plan(url, ["event-1"], options, folder)
        bare_ms = asyncio.run(bare_latency_ms(f"{url}/"))
        report(plan, asyncio.run(play(plan, folder / "load.log")), bare_ms)
    finally:
        server.kill()
        server.join()


async def on_the_stack(options: argparse.Namespace, folder: Path) -> None:
    """Play against the whole system."""
    spec = load_testbed(ROOT / "testbed.yaml")
    runtime = NativeRuntime()
    try:
        testbed = await runtime.up(spec, options.policy, "")
        events = await seed_events(spec, testbed, "benchmark")
        bare_ms = await bare_latency_ms(f"{testbed.gateway}/events/{events[0]}")
        plan = load_plan(testbed.gateway, events, options, folder)
        report(plan, await play(plan, folder / "load.log"), bare_ms)
    finally:
        await runtime.down()


def main() -> None:
    """Play and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate-rps", type=float, default=200.0)
    parser.add_argument("--duration-s", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--stack", action="store_true", help="play against the whole native system")
    parser.add_argument(
        "--policy", default="default", help="the policy of the system, with --stack"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aguante-bench-") as folder:
        if options.stack:
            asyncio.run(on_the_stack(options, Path(folder)))
        else:
            on_a_bare_server(options, Path(folder))


if __name__ == "__main__":
    main()
