"""Attacks the services of a native testbed one after the other, each at its own address."""

import itertools
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import psutil

from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.testbed.runtime import Testbed
from aguante.testbed.testbed_file import load_testbed
from stress.hostile.attack import Attack, Check, Outcome
from stress.hostile.inputs import hostile_inputs
from stress.hostile.resources import (
    Process,
    Resources,
    growth,
    log_checked,
    measure,
    measure_settled,
)
from stress.hostile.targets import EVENT, TEMPLATES

ROOT = Path(__file__).parents[2]
CAPACITY = 10_000_000


@dataclass(frozen=True)
class SoakResult:
    """The outcome for one service; it held when there are no objections."""

    service: str
    outcome: Outcome
    before: Resources | None
    after: Resources | None
    objections: tuple[str, ...]


async def soak(
    process: Process, inputs: int, seed: int, *, warm_up: int, check: Check | None = None
) -> SoakResult:
    """Play ``warm_up`` inputs, measure, play ``inputs``, measure again."""
    stream = hostile_inputs(TEMPLATES[process.name], seed)
    attack = Attack(process.host, process.port, check=check)
    outcome, objections = Outcome(), list[str]()
    before = after = None
    with log_checked(process, objections):
        try:
            await attack.play(itertools.islice(stream, warm_up), outcome)
            before = await measure_settled(process, (await measure(process)).files)
            await attack.play(itertools.islice(stream, inputs), outcome)
            after = await measure_settled(process, before.files)
            objections += growth(before, after)
        except (psutil.NoSuchProcess, aiohttp.ClientError) as gone:
            objections.append(f"the process is gone: {gone!r}")
    if outcome.faults_count:
        objections.append(f"{outcome.faults_count} faulty responses")
    return SoakResult(process.name, outcome, before, after, tuple(objections))


async def soak_testbed(
    shares: Sequence[tuple[str, int]],
    seed: int,
    warm_up: int,
    report: Callable[[SoakResult], None],
) -> list[SoakResult]:
    """Start the testbed and soak each service in turn; ``shares`` are pairs of service and number of inputs."""
    runtime = NativeRuntime()
    spec = load_testbed(ROOT / "testbed.yaml")
    async with runtime.running(spec, "default") as testbed:
        await _make_event(testbed)
        results = []
        with ExitStack() as stack:
            in_any_log: list[str] = []
            for process in processes(testbed):
                stack.enter_context(log_checked(process, in_any_log))
            for name, inputs in shares:
                process = next(each for each in processes(testbed) if each.name == name)
                results.append(await soak(process, inputs, seed, warm_up=warm_up))
                report(results[-1])
        if in_any_log:
            results.append(SoakResult("all", Outcome(), None, None, tuple(in_any_log)))
            report(results[-1])
        return results


def processes(testbed: Testbed) -> list[Process]:
    """Return the services of a native testbed."""
    logs = testbed.state / "logs"
    return [
        Process(
            each.name,
            urlsplit(each.url).hostname or "",
            urlsplit(each.url).port or 0,
            each.pid,
            logs / f"{each.instance}.log",
        )
        for each in testbed.services
    ]


async def _make_event(testbed: Testbed) -> None:
    inventory = next(each.url for each in testbed.services if each.name == "inventory")
    async with (
        aiohttp.ClientSession(raise_for_status=True) as session,
        session.put(f"{inventory}/events/{EVENT}", json={"capacity": CAPACITY}),
    ):
        pass
