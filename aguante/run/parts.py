"""The parts that a run acts through. They are made in one place (``compose_run``); a test passes its own."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from aguante.collect.otlp_collector import Collector
from aguante.drivers.driver import FaultDriver
from aguante.faults.fault_registry import AnyUndo
from aguante.load.generator import T0_LEAD_S, LoadChild
from aguante.load_protocol.records import LoadPlan
from aguante.plan.plan import Plan
from aguante.plan.schedule import Clock
from aguante.run.fault_executor import HEAL_LIMIT_S
from aguante.run.progress import Progress
from aguante.run_folder.event_log import EventLog
from aguante.run_folder.folder import RunFolder
from aguante.testbed.runtime import Runtime, Testbed
from aguante.testbed.testbed_spec import TestbedSpec

StartLoad = Callable[[LoadPlan, TestbedSpec, Path], AbstractAsyncContextManager[LoadChild]]


def start_clock() -> Clock:
    """A clock whose t0 lies a little ahead, so that every process knows it in time."""
    return Clock(time.monotonic() + T0_LEAD_S)


@dataclass(frozen=True)
class RunRequest:
    """One run: what it does, on which system, and where its folder goes."""

    plan: Plan
    spec: TestbedSpec
    source: bytes
    """The experiment file as it was validated, byte for byte."""
    runs: Path
    """Folder of all runs."""

    @property
    def folder(self) -> RunFolder:
        """The run's own folder."""
        return RunFolder(self.runs / self.plan.run_id)


@dataclass(frozen=True)
class RunParts:
    """Everything through which one run acts."""

    runtime: Runtime
    drivers_for: Callable[[Testbed], FaultDriver[AnyUndo]]
    """The drivers of a testbed that is up."""
    collector: Collector
    progress: Progress
    start_load: StartLoad = LoadChild.start
    start_clock: Callable[[], Clock] = start_clock
    heal_limit_s: float = HEAL_LIMIT_S


@dataclass(frozen=True)
class RunContext:
    """What every step of a run needs."""

    plan: Plan
    spec: TestbedSpec
    folder: RunFolder
    log: EventLog
    parts: RunParts
    stop: asyncio.Event
    """Ends the run early once it is set."""

    def report(self, step: str) -> None:
        """Report that a new step of the run has begun."""
        self.parts.progress.step(step)
