"""Plays the levels: a fresh testbed per policy, a load generator of its own per level, drained in between."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aguante.load.generator import GRACE_S, READY_LIMIT_S, T0_LEAD_S, LoadChild, LoadError
from aguante.load.seed_events import seed_events
from aguante.load_protocol.records import LoadPlan
from aguante.measure.load_level import measure_level
from aguante.measure.saturation_levels import Level, Sweep, enough
from aguante.run_folder.run_log import EvidenceError
from aguante.testbed.runtime import Runtime, Testbed, TestbedError
from aguante.testbed.testbed_spec import TestbedSpec

TIMEOUT_S = 7.0
"""Of the client: longer than the gateway's deadline."""
BREATH_S = 1.0
"""Between two levels, for breakers and queues to come to rest."""

FAILURES = (TestbedError, LoadError, EvidenceError, OSError)
"""The testbed, the load generator, a ledger, or the folder: what ends a sweep before its end."""


@dataclass(frozen=True)
class Search:
    """How to look for saturation."""

    rates_rps: tuple[float, ...]
    """Ascending."""
    hold_s: float
    settle_in_s: float
    beyond: int
    """Levels in a row that goodput does not follow, after which a sweep ends."""
    mix: tuple[tuple[str, float], ...]
    seed: int
    workers: int
    run_id: str
    folder: Path


async def sweep(
    search: Search,
    spec: TestbedSpec,
    policy: str,
    runtime: Runtime,
    stop: asyncio.Event,
    tell: Callable[[str, Level], None],
) -> Sweep:
    """Play levels under one policy until goodput has stopped following, or ``stop`` is set.

    Where the testbed, the load generator or the folder fails, the levels before it are kept: ``cut_short`` says why.
    """
    levels: list[Level] = []
    why = ""
    try:
        await _climb(search, spec, policy, runtime, stop, levels, tell)
    except FAILURES as failure:
        why = str(failure)
    return Sweep(policy=policy, levels=tuple(levels), cut_short=why)


async def _climb(  # noqa: PLR0913 - a sweep's own, and where its levels go
    search: Search,
    spec: TestbedSpec,
    policy: str,
    runtime: Runtime,
    stop: asyncio.Event,
    levels: list[Level],
    tell: Callable[[str, Level], None],
) -> None:
    """Add level after level. Raises one of ``FAILURES``; the testbed is down then."""
    try:
        testbed = await runtime.up(spec, policy, "")
        for rate_rps in search.rates_rps:
            if stop.is_set() or enough(tuple(levels), search.beyond):
                break
            levels.append(await _play_level(search, spec, policy, testbed, rate_rps))
            tell(policy, levels[-1])
            await asyncio.sleep(BREATH_S)
    finally:
        await runtime.down()


async def _play_level(
    search: Search, spec: TestbedSpec, policy: str, testbed: Testbed, rate_rps: float
) -> Level:
    name = f"{policy}-{rate_rps:g}"
    folder = search.folder / name
    folder.mkdir(parents=True)
    run_id = f"{search.run_id}-{name}".replace(".", "-")
    event_ids = await seed_events(spec, testbed, run_id)
    plan = LoadPlan(
        base_url=testbed.gateway,
        profile="steady",
        arrivals="poisson",
        rate_rps=rate_rps,
        duration_s=search.hold_s,
        mix=dict(search.mix),
        event_ids=list(event_ids),
        seed=search.seed,
        timeout_s=TIMEOUT_S,
        run_id=run_id,
        experiment="saturate",
        phases=[("baseline", 0.0, search.hold_s)],
        records_path=str(folder / "requests.jsonl"),
        # a stack without a semaphore piles up rate x deadline; what is shed would look like a limit
        max_outstanding=max(1000, round(rate_rps * TIMEOUT_S * 1.5)),
        workers=search.workers,
    )
    async with LoadChild.start(plan, spec, folder / "load.log") as child:
        await child.ready(READY_LIMIT_S)
        child.begin(time.monotonic() + T0_LEAD_S)
        summary = await child.finish(search.hold_s + TIMEOUT_S + GRACE_S)
    records = Path(plan.records_path)
    return measure_level(records, summary, rate_rps, search.settle_in_s, search.hold_s)
