"""Healing goes on when the disk is full, and ends at once when the tool that held the faults is gone."""

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
    """Takes everything until it is full."""

    full = False

    def write(self, fd: int, data: bytes) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write(fd, data)


class MemoryDriver:
    """FaultExecutor in memory; ``dead``: nothing answers any more."""

    def __init__(self) -> None:
        self.active: set[str] = set()
        self.dead = False
        self.asked = 0

    async def prepare(self, fault: PlannedFault) -> ToxiproxyUndo:
        return ToxiproxyUndo(fault_id=fault.id, api="http://t", proxy="a-b", toxic=fault.id)

    async def apply(self, fault: PlannedFault) -> None:
        self.active.add(fault.id)

    async def undo(self, undo: ToxiproxyUndo) -> None:
        self.asked += 1
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


async def test_a_full_disk_keeps_no_fault_from_being_healed(tmp_path: Path) -> None:
    """Every fault is undone and verified first; that it could not be noted is raised after."""
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


async def test_faults_that_went_with_their_tool_are_not_waited_for(tmp_path: Path) -> None:
    """Nothing is asked of a tool that has ended; nothing is pending; and nothing counts as read back."""
    driver, path = MemoryDriver(), tmp_path / "journal.jsonl"
    with Journal.open(path, "r") as journal, EventLog(tmp_path / "events.jsonl") as log:
        faults = FaultExecutor(
            await journal_faults(FAULTS, driver, journal), driver, journal, log, lambda: 1.5
        )
        await faults.apply(FAULTS[0])
        driver.dead = True
        await faults.heal(lambda: True)
    assert (driver.asked, pending(path)) == (0, [])
    assert '"action":"verified"' not in (tmp_path / "events.jsonl").read_text()


def child(code: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", code])


async def test_a_part_that_ends_by_itself_stops_the_run() -> None:
    """Also as a zombie that nobody has waited for; the reason names the part and the second."""
    part, stop = child("pass"), asyncio.Event()
    watch = LivenessMonitor({"toxiproxy": process_alive(part.pid)})
    await asyncio.wait_for(watch.run(stop, lambda: 3.21, 30.0), 10)
    assert (watch.reason, stop.is_set()) == (
        "toxiproxy ended by itself, 3.2 s into the run",
        True,
    )
    assert watch.ended("toxiproxy")
    part.wait()


async def test_the_load_generator_may_end_when_its_time_is_over() -> None:
    """From the end of load on, its end stops nothing."""
    part, stop = child("pass"), asyncio.Event()
    part.wait()
    watch = LivenessMonitor({LOAD: process_alive(part.pid)})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(watch.run(stop, lambda: 30.0, 30.0), 0.05)
    assert (watch.reason, stop.is_set()) == ("", False)


def test_an_unreadable_database_leaves_open_whether_the_system_settled() -> None:
    """Not settled because nobody could look is unknown; not settled with rows left is a fact."""
    unread = Settled(settled=False, took_s=30.0, unsettled=-1)
    assert RunLog(settled=unread).rest is None
    assert RunLog().rest is None
    assert RunLog(settled=unread.model_copy(update={"unsettled": 2})).rest is False
    assert RunLog(settled=Settled(settled=True, took_s=1.0, unsettled=0)).rest is True
