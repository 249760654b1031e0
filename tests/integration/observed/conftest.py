"""One run on a testbed with a real Prometheus and a real Jaeger, and what happened on it afterwards."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from dashboard_harness import LATE_S, RATE_INTERVAL_S
from native_harness import private_folder
from observed_harness import (
    Observed,
    broken,
    buy,
    lose_answers,
    paying,
    play_observed,
    until_good,
)

from aguante.clients.prometheus_queries import Prometheus
from aguante.collect.settle import settle
from aguante.load.seed_events import seed_events
from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.runtimes.sidecars import Sidecars
from aguante.testbed.runtime import Testbed
from aguante.testbed.testbed_spec import TestbedSpec

CRASHED = 3
KNOWN_LIMIT_S = 20.0
EXPORTED_S = 1.5
"""Spans leave a service twice a second, and pass the relay."""


@pytest.fixture(scope="package")
async def observed(
    observer_binaries: dict[str, Path],
    shop_spec: TestbedSpec,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Observed]:
    """A run, answers that were lost, a process that was killed at work; a minute in all, for every module here."""
    runs = tmp_path_factory.mktemp("runs")
    sidecars = Sidecars(frozenset(("prometheus", "jaeger")), samples=runs / "samples")
    with private_folder() as parent:
        runtime = NativeRuntime(parent, relay=True, sidecars=sidecars)
        async with runtime.running(shop_spec, "default") as testbed:
            await known(testbed)
            began_s = time.time() - 1
            outcome = await play_observed(shop_spec, testbed, parent, runs)
            await asyncio.sleep(RATE_INTERVAL_S + LATE_S)  # for the last rate to be back at 0
            seen_s = (began_s, time.time())
            yield Observed(testbed, outcome, seen_s, *await story(shop_spec, runtime))


async def known(testbed: Testbed) -> None:
    """Wait until Prometheus has known each service as long as a rate looks back; earlier answers it cannot show."""
    query = f'count(up{{job="services"}} offset {RATE_INTERVAL_S}s == 1)'
    n = len(testbed.services)
    async with Prometheus(testbed.prometheus) as asked, asyncio.timeout(KNOWN_LIMIT_S):
        while [value for _, value in await asked.now(query)] != [n]:  # noqa: ASYNC110 - a server
            await asyncio.sleep(0.2)


async def story(
    spec: TestbedSpec, runtime: NativeRuntime
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Trace ids of reservations whose payment's answer was lost, and of those whose owner was killed at work."""
    testbed = runtime.testbed
    event_id, *_ = await seed_events(spec, testbed, "observed")
    await until_good(testbed, event_id)
    lost = await lose_answers(testbed, event_id)
    await until_good(testbed, event_id)
    async with broken(testbed, "latency", latency=2500):
        asked = [asyncio.create_task(buy(testbed, event_id)) for _ in range(CRASHED)]
        await paying(testbed, CRASHED)
        await runtime.kill("reservations-1")
        crashed = tuple(trace_id for _, trace_id in await asyncio.gather(*asked))
    await runtime.start("reservations-1")
    rest = await settle(spec.settle, testbed)
    assert rest.settled
    await asyncio.sleep(EXPORTED_S)
    return lost, crashed
