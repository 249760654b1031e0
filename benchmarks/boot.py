"""How long the native testbed takes to become ready: N boots, min/median/max of each part.

    python -m benchmarks.boot [--boots 5] [--replicas 2]

Parts overlap: each figure counts the seconds from the start of the boot until that part was ready.
"""

import argparse
import asyncio
import os
import statistics
import time
from pathlib import Path

from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.testbed.testbed_file import load_testbed

ROOT = Path(__file__).parents[1]


async def boots(number: int, replicas: int) -> dict[str, list[float]]:
    """Seconds by part, one value per boot; ``cpu`` is the user and system time of the runner's children."""
    spec = load_testbed(ROOT / "testbed.yaml")
    each = {service.name: replicas for service in spec.services}
    times: dict[str, list[float]] = {}
    for _ in range(number):
        runtime = NativeRuntime(on_ready=lambda part, at_s: times.setdefault(part, []).append(at_s))
        began = time.monotonic()
        await runtime.up(spec, "default", "", each)
        times.setdefault("up", []).append(time.monotonic() - began)
        began = time.monotonic()
        before = os.times()
        await runtime.down()
        after = os.times()
        times.setdefault("down", []).append(time.monotonic() - began)
        used = after.children_user + after.children_system
        before_used = before.children_user + before.children_system
        times.setdefault("cpu", []).append(used - before_used)
    return times


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boots", type=int, default=5)
    parser.add_argument("--replicas", type=int, default=1, help="replicas of every service, 1 to 8")
    options = parser.parse_args()
    times = asyncio.run(boots(options.boots, options.replicas))
    load = os.getloadavg()[0]
    print(f"{'part':<12}{'min':>8}{'median':>8}{'max':>8}   seconds; load average {load:.1f}")
    for part, values in times.items():
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{part:<12}{low:>8.2f}{middle:>8.2f}{high:>8.2f}")


if __name__ == "__main__":
    main()
