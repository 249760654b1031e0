"""A whole run on parts of the test's own: no process is started, and the clock jumps from action to action."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from aguante.collect.otlp_collector import Collector
from aguante.drivers.driver import FaultError
from aguante.experiment import Experiment
from aguante.faults.fault_kind import Undo
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.toxiproxy import ToxiproxyUndo
from aguante.load_protocol.records import LoadSummary
from aguante.plan.build import build_plan
from aguante.plan.schedule import Clock
from aguante.run.fault_executor import HealError
from aguante.run.orchestrator import run
from aguante.run.parts import RunParts, RunRequest
from aguante.run.progress import QuietProgress
from aguante.run_folder.journal import pending
from aguante.run_folder.run_log import read_run_log
from aguante.testbed.runtime import Alive, Testbed, TestbedError
from aguante.testbed.testbed_spec import TestbedSpec
from aguante.verdict.verdict import Verdict


@dataclass
class EmptyTestbed:
    """A runtime whose testbed has no services and no databases."""

    ended: int = 0
    control: None = None

    async def up(self, *_: object) -> Testbed:
        return Testbed(
            id="t", runtime="native", policy="default", gateway="http://127.0.0.1:9",
            toxiproxy="http://127.0.0.1:9", services=(), links=(), databases=(), servers={}, state=Path(),
        )  # fmt: skip

    def parts(self) -> Mapping[str, Alive]:
        return {}

    async def save_logs(self, target: Path) -> None:
        (target / "service.log").write_text("a line")

    async def down(self) -> None:
        self.ended += 1


@dataclass
class MemoryDriver:
    """Faults in memory; ``stuck``: they cannot be undone."""

    stuck: bool = False
    steps: list[str] = field(default_factory=list)

    async def prepare(self, fault: PlannedFault) -> Undo:
        self.steps.append("prepare")
        return ToxiproxyUndo(fault_id=fault.id, api="http://t", proxy="p", toxic="x")

    async def apply(self, fault: PlannedFault) -> None:
        self.steps.append("apply")

    async def undo(self, undo: Undo) -> None:
        if self.stuck:
            message = "no response"
            raise FaultError(message)
        self.steps.append("undo")

    async def verify(self, undo: Undo) -> None:
        self.steps.append("verify")

    async def evidence(self, fault: PlannedFault) -> str:
        return "latency 3500"


class NoLoad:
    """A load generator that sends nothing."""

    pid = os.getpid()

    async def ready(self, timeout_s: float) -> None:
        """At once."""

    def begin(self, t0_s: float) -> None:
        """Nothing."""

    def end_arrivals(self) -> None:
        """Nothing."""

    async def finish(self, timeout_s: float) -> LoadSummary:
        return LoadSummary(offered=0, sent=0, shed=0, completed=0)


@contextlib.asynccontextmanager
async def no_load(*_: object) -> AsyncIterator[NoLoad]:
    yield NoLoad()


class JumpingClock(Clock):
    """Waiting takes no time."""

    def __init__(self) -> None:
        super().__init__(0.0)
        self.at_s = 0.0

    def now_s(self) -> float:
        return self.at_s

    async def wait_until(self, at_s: float, stop: asyncio.Event) -> bool:
        await asyncio.sleep(0)
        self.at_s = max(self.at_s, at_s)
        return not stop.is_set()


@pytest.fixture
def wanted(slow: Experiment, shop: TestbedSpec, tmp_path: Path) -> RunRequest:
    """payments-slow on a system that needs no request to set it up and none to settle."""
    setup = shop.setup.model_copy(update={"request": None})
    settle = shop.settle.model_copy(update={"query": None})
    spec = shop.model_copy(update={"setup": setup, "settle": settle})
    quiet = slow.model_copy(update={"abort_when": ()})
    plan = build_plan(quiet, spec, run_id="run", seed=1, source="slow.yaml")
    return RunRequest(plan, spec, b"name: slow\n", tmp_path)


def parts_with(driver: MemoryDriver, request: RunRequest) -> RunParts:
    return RunParts(
        runtime=EmptyTestbed(),
        drivers_for=lambda _: driver,
        collector=Collector(request.folder.otlp),
        progress=QuietProgress(),
        start_load=no_load,
        start_clock=JumpingClock,
        heal_limit_s=0.05,
    )


async def test_a_run_applies_heals_and_judges_through_its_parts(wanted: RunRequest) -> None:
    """The fault is applied and verified as undone, the testbed is taken down, and the folder holds the verdict."""
    driver = MemoryDriver()
    parts = parts_with(driver, wanted)
    judged = await run(wanted, parts, asyncio.Event())
    assert driver.steps == ["prepare", "apply", "undo", "verify"]
    assert parts.runtime.ended
    assert pending(wanted.folder.journal) == []
    assert (wanted.folder.logs / "service.log").exists()
    stored = Verdict.model_validate_json(wanted.folder.verdict.read_bytes())
    assert stored == judged.verdict
    assert stored.verdict == "inconclusive"


async def test_a_fault_that_stays_is_raised_after_the_rest_was_judged(wanted: RunRequest) -> None:
    """The testbed is taken down, the verdict names the fault, and the journal keeps its undo."""
    parts = parts_with(MemoryDriver(stuck=True), wanted)
    with pytest.raises(HealError, match=r"slow: no response.*aguante recover"):
        await run(wanted, parts, asyncio.Event())
    assert parts.runtime.ended
    verdict = Verdict.model_validate_json(wanted.folder.verdict.read_bytes())
    assert "not healed within 0.05 s" in verdict.reasons[0]
    assert [undo.fault_id for undo in pending(wanted.folder.journal)] == ["slow"]
    assert read_run_log(wanted.folder.events).spans_dropped is None


async def test_a_folder_that_cannot_be_written_does_not_hide_an_active_fault(
    wanted: RunRequest,
) -> None:
    """The error about the fault comes out, although its verdict could not be stored."""
    parts = parts_with(MemoryDriver(stuck=True), wanted)

    class InTheWay(EmptyTestbed):
        async def down(self) -> None:
            wanted.folder.measures.mkdir(exist_ok=True)

    with pytest.raises(HealError):
        await run(wanted, replace(parts, runtime=InTheWay()), asyncio.Event())
    assert not wanted.folder.verdict.exists()


async def test_a_testbed_that_does_not_start_leaves_nothing_to_judge(wanted: RunRequest) -> None:
    """Its error comes out, no fault is prepared, and it is taken down all the same."""

    class NeverUp(EmptyTestbed):
        async def up(self, *_: object) -> Testbed:
            message = "no testbed here"
            raise TestbedError(message)

    driver = MemoryDriver()
    parts = replace(parts_with(driver, wanted), runtime=NeverUp())
    with pytest.raises(TestbedError, match="no testbed here"):
        await run(wanted, parts, asyncio.Event())
    assert (driver.steps, parts.runtime.ended) == ([], 1)
    assert not wanted.folder.verdict.exists()
