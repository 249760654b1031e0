"""The whole native testbed under attack, service after service, each at its own address."""

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
from stress.hostile.attack import Attack, Hold, Outcome
from stress.hostile.inputs import hostile_inputs
from stress.hostile.targets import EVENT, TEMPLATES
from stress.hostile.watch import Held, Process, growth, held, log_watched, settled

ROOT = Path(__file__).parents[2]
CAPACITY = 10_000_000


@dataclass(frozen=True)
class Siege:
    """What one service went through, and what is wrong with it; nothing: it held."""

    service: str
    outcome: Outcome
    before: Held | None
    after: Held | None
    objections: tuple[str, ...]


async def besiege(
    process: Process, inputs: int, seed: int, *, warm_up: int, hold: Hold | None = None
) -> Siege:
    """Play ``warm_up`` inputs, measure, play ``inputs``, measure again."""
    stream = hostile_inputs(TEMPLATES[process.name], seed)
    attack = Attack(process.host, process.port, hold=hold)
    outcome, objections = Outcome(), list[str]()
    before = after = None
    with log_watched(process, objections):
        try:
            await attack.play(itertools.islice(stream, warm_up), outcome)
            before = await settled(process, (await held(process)).files)
            await attack.play(itertools.islice(stream, inputs), outcome)
            after = await settled(process, before.files)
            objections += growth(before, after)
        except (psutil.NoSuchProcess, aiohttp.ClientError) as gone:
            objections.append(f"the process is gone: {gone!r}")
    if outcome.faults_count:
        objections.append(f"{outcome.faults_count} faulty answers")
    return Siege(process.name, outcome, before, after, tuple(objections))


async def besiege_testbed(
    shares: Sequence[tuple[str, int]], seed: int, warm_up: int, tell: Callable[[Siege], None]
) -> list[Siege]:
    """Start the testbed and besiege each service in turn; ``shares`` are services and their number of inputs."""
    runtime = NativeRuntime()
    spec = load_testbed(ROOT / "testbed.yaml")
    async with runtime.running(spec, "default") as testbed:
        await _make_event(testbed)
        sieges = []
        with ExitStack() as stack:
            everywhere: list[str] = []
            for process in processes(testbed):
                stack.enter_context(log_watched(process, everywhere))
            for name, inputs in shares:
                process = next(each for each in processes(testbed) if each.name == name)
                sieges.append(await besiege(process, inputs, seed, warm_up=warm_up))
                tell(sieges[-1])
        if everywhere:
            sieges.append(Siege("all", Outcome(), None, None, tuple(everywhere)))
            tell(sieges[-1])
        return sieges


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
