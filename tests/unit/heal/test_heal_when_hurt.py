"""Healing continues on a full disk, and ends at once when Toxiproxy and its toxics are gone."""

import asyncio
import errno
import subprocess
import sys
from pathlib import Path

import pytest

from aguante.drivers.driver import FaultError
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.toxiproxy import ToxiproxyFault, ToxiproxyUndo
from aguante.run.fault_executor import FaultExecutor, journal_faults
from aguante.run.liveness import LOAD, LivenessMonitor
from aguante.run_folder.event_log import EventLog
from aguante.run_folder.events import Settled
from aguante.run_folder.journal import Files, Journal, pending
from aguante.run_folder.run_log import RunLog
from aguante.runtimes.processes import process_alive

FAULTS = tuple(
    PlannedFault(id=name, fault=ToxiproxyFault(link="a-b", toxic="latency"), start_s=1.0, end_s=2.0)
    for name in ("one", "two")
)


class FullDisk(Files):
    """Accepts every write until it is full."""

    full = False

    def write(self, fd: int, data: bytes) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write(fd, data)


class MemoryDriver:
    """Faults in memory; ``dead``: it does not respond."""

    def __init__(self) -> None:
        self.active: set[str] = set()
        self.dead = False
        self.calls = 0

    async def prepare(self, fault: PlannedFault) -> ToxiproxyUndo:
        return ToxiproxyUndo(fault_id=fault.id, api="http://t", proxy="a-b", toxic=fault.id)

    async def apply(self, fault: PlannedFault) -> None:
        self.active.add(fault.id)

    async def undo(self, undo: ToxiproxyUndo) -> None:
        self.calls += 1
        if self.dead:
            message = "no answer"
            raise FaultError(message)
        self.active.discard(undo.fault_id)

    async def verify(self, undo: ToxiproxyUndo) -> None:
        if undo.fault_id in self.active:
            message = "still there"
            raise FaultError(message)

    async def evidence(self, fault: PlannedFault) -> str:
        return ""


async def test_a_full_disk_does_not_prevent_healing(tmp_path: Path) -> None:
    """Every fault is undone and verified before the disk error is raised."""
    driver, disk = MemoryDriver(), FullDisk()
    with (
        Journal.open(tmp_path / "journal.jsonl", "r", disk) as journal,
        EventLog(tmp_path / "events.jsonl") as log,
    ):
        faults = FaultExecutor(
            await journal_faults(FAULTS, driver, journal), driver, journal, log, lambda: 1.5
        )
        for fault in FAULTS:
            await faults.apply(fault)
        disk.full = True
        with pytest.raises(OSError, match="No space left"):
            await faults.heal()
    assert driver.active == set()
    assert {undo.fault_id for undo in pending(tmp_path / "journal.jsonl")} == {"one", "two"}


async def test_faults_that_ended_with_toxiproxy_are_not_healed(tmp_path: Path) -> None:
    """No call is made, nothing stays pending, and nothing is logged as verified."""
    driver, path = MemoryDriver(), tmp_path / "journal.jsonl"
    with Journal.open(path, "r") as journal, EventLog(tmp_path / "events.jsonl") as log:
        faults = FaultExecutor(
            await journal_faults(FAULTS, driver, journal), driver, journal, log, lambda: 1.5
        )
        await faults.apply(FAULTS[0])
        driver.dead = True
        await faults.heal(lambda: True)
    assert (driver.calls, pending(path)) == (0, [])
    assert '"action":"verified"' not in (tmp_path / "events.jsonl").read_text()


def child(code: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", code])


async def test_a_part_that_ends_by_itself_stops_the_run() -> None:
    """A zombie counts as ended; the reason names the part and the time."""
    part, stop = child("pass"), asyncio.Event()
    monitor = LivenessMonitor({"toxiproxy": process_alive(part.pid)})
    await asyncio.wait_for(monitor.run(stop, lambda: 3.21, 30.0), 10)
    assert (monitor.reason, stop.is_set()) == (
        "toxiproxy ended by itself, 3.2 s into the run",
        True,
    )
    assert monitor.ended("toxiproxy")
    part.wait()


async def test_the_load_generator_may_end_when_its_time_is_over() -> None:
    """After the end of the load, its end does not stop the run."""
    part, stop = child("pass"), asyncio.Event()
    part.wait()
    monitor = LivenessMonitor({LOAD: process_alive(part.pid)})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(monitor.run(stop, lambda: 30.0, 30.0), 0.05)
    assert (monitor.reason, stop.is_set()) == ("", False)


def test_whether_the_system_settled_is_unknown_if_its_database_was_not_read() -> None:
    """With unfinished rows it did not settle; without a reading it is unknown."""
    unread = Settled(settled=False, took_s=30.0, unsettled=-1)
    assert RunLog(settled=unread).rest is None
    assert RunLog().rest is None
    assert RunLog(settled=unread.model_copy(update={"unsettled": 2})).rest is False
    assert RunLog(settled=Settled(settled=True, took_s=1.0, unsettled=0)).rest is True
