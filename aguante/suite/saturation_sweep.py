"""Searches for saturation: a new testbed per policy, a new load generator per level, a pause between levels."""

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
PAUSE_S = 1.0
"""Between two levels, for queues to empty and breakers to close."""

FAILURES = (TestbedError, LoadError, EvidenceError, OSError)
"""Errors of the testbed, the load generator, the records or the folder, which end a sweep early."""


@dataclass(frozen=True)
class Search:
    """How to look for saturation."""

    policies: tuple[str, ...]
    """Each is swept on its own testbed."""
    rates_rps: tuple[float, ...]
    """Ascending."""
    hold_s: float
    settle_in_s: float
    beyond: int
    """A sweep ends after this many consecutive saturated levels."""
    mix: tuple[tuple[str, float], ...]
    seed: int
    workers: int
    run_id: str
    folder: Path


async def search_saturation(
    search: Search,
    spec: TestbedSpec,
    make_runtime: Callable[[], Runtime],
    stop: asyncio.Event,
    report: Callable[[str, Level], None],
) -> tuple[Sweep, ...]:
    """Sweep one policy after the other until one fails or ``stop`` is set; ``report`` receives each level."""
    sweeps: list[Sweep] = []
    for policy in search.policies:
        if stop.is_set() or any(each.cut_short for each in sweeps):
            break
        sweeps.append(await _sweep(search, spec, policy, make_runtime(), stop, report))
    return tuple(sweeps)


async def _sweep(
    search: Search,
    spec: TestbedSpec,
    policy: str,
    runtime: Runtime,
    stop: asyncio.Event,
    report: Callable[[str, Level], None],
) -> Sweep:
    """Raise the load until goodput stops following it; a failure ends the sweep and is its ``cut_short``."""
    levels: list[Level] = []
    failure = ""
    try:
        testbed = await runtime.up(spec, policy, "")
        for rate_rps in search.rates_rps:
            if stop.is_set() or enough(tuple(levels), search.beyond):
                break
            levels.append(await _play_level(search, spec, policy, testbed, rate_rps))
            report(policy, levels[-1])
            await asyncio.sleep(PAUSE_S)
    except FAILURES as error:
        failure = str(error)
    finally:
        await runtime.down()
    return Sweep(policy=policy, levels=tuple(levels), cut_short=failure)


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
        # Without a semaphore, rate x deadline requests are outstanding; shedding them would look like a limit.
        max_outstanding=max(1000, round(rate_rps * TIMEOUT_S * 1.5)),
        workers=search.workers,
    )
    async with LoadChild.start(plan, spec, folder / "load.log") as child:
        await child.ready(READY_LIMIT_S)
        child.begin(time.monotonic() + T0_LEAD_S)
        summary = await child.finish(search.hold_s + TIMEOUT_S + GRACE_S)
    records = Path(plan.records_path)
    return measure_level(records, summary, rate_rps, search.settle_in_s, search.hold_s)
