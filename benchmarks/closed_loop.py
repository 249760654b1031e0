"""A closed-loop client: N workers, each sending its next request after the previous response.

It measures throughput at a given concurrency; it is not suited to outages (docs/closed-loop.md).
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp


@dataclass(frozen=True)
class Burst:
    """The result of one burst of load."""

    ok: int
    other: int
    took_s: float
    latencies_ms: tuple[float, ...]
    """The latencies of the 200s, sorted."""

    @property
    def ok_per_s(self) -> float:
        """Responses of 200 per second."""
        return self.ok / self.took_s

    def percentile_ms(self, p: float) -> float:
        """The order statistic at ``p``; NaN without a 200."""
        if not self.latencies_ms:
            return float("nan")
        return self.latencies_ms[min(len(self.latencies_ms) - 1, int(p * len(self.latencies_ms)))]


async def burst(
    url: str, body: Callable[[int], dict[str, object]], *, concurrency: int, requests: int
) -> Burst:
    """Send ``requests`` POSTs to ``url`` from ``concurrency`` workers, each with a timeout of 7 s."""
    numbers = iter(range(requests))
    latencies: list[float] = []
    other = 0
    timeout = aiohttp.ClientTimeout(total=7)

    async def worker(session: aiohttp.ClientSession) -> None:
        nonlocal other
        for number in numbers:
            began = time.perf_counter()
            async with session.post(url, json=body(number)) as response:
                await response.read()
            if response.status == 200:
                latencies.append((time.perf_counter() - began) * 1000)
            else:
                other += 1

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        began = time.perf_counter()
        await asyncio.gather(*(worker(session) for _ in range(concurrency)))
        took_s = time.perf_counter() - began
    return Burst(len(latencies), other, took_s, tuple(sorted(latencies)))
