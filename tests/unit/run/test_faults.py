"""Faults are journaled first, and healed and verified whatever happens in between."""

from pathlib import Path

import pytest

from aguante.drivers.driver import FaultError
from aguante.faults.fault_kind import Undo
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.toxiproxy import ToxiproxyFault, ToxiproxyUndo
from aguante.run.fault_executor import FaultExecutor, HealError, JournaledFault, journal_faults
from aguante.run_folder.event_log import EventLog
from aguante.run_folder.journal import Journal, pending
from aguante.run_folder.run_log import read_run_log

FAULT = PlannedFault(
    id="slow",
    fault=ToxiproxyFault(link="reservations-payments", toxic="latency"),
    start_s=1,
    end_s=2,
)


class FakeDriver:
    """A driver in memory; ``broken`` names the steps that fail."""

    def __init__(self, *broken: str) -> None:
        self.broken = set(broken)
        self.active: set[str] = set()
        self.calls: list[str] = []

    def _step(self, name: str) -> None:
        self.calls.append(name)
        if name in self.broken:
            message = f"{name} was refused"
            raise FaultError(message)

    async def prepare(self, fault: PlannedFault) -> Undo:
        self._step("prepare")
        return ToxiproxyUndo(fault_id=fault.id, api="http://t", proxy="p", toxic="x")

    async def apply(self, fault: PlannedFault) -> None:
        self._step("apply")
        self.active.add(fault.id)

    async def undo(self, undo: Undo) -> None:
        self._step("undo")
        self.active.discard(undo.fault_id)

    async def verify(self, undo: Undo) -> None:
        self._step("verify")
        if undo.fault_id in self.active:
            message = "still there"
            raise FaultError(message)

    async def evidence(self, fault: PlannedFault) -> str:
        return "latency 3500"


async def prepared(
    driver: FakeDriver, folder: Path, journal: Journal, log: EventLog
) -> tuple[FaultExecutor, tuple[JournaledFault, ...]]:
    intents = await journal_faults((FAULT,), driver, journal)
    return FaultExecutor(intents, driver, journal, log, lambda: 1.25), intents


async def test_every_undo_is_on_disk_before_any_fault_is_applied(tmp_path: Path) -> None:
    """The journal holds the undo while no fault has been applied."""
    driver = FakeDriver()
    path = tmp_path / "journal.jsonl"
    with Journal.open(path, "r") as journal, EventLog(tmp_path / "events.jsonl") as log:
        await prepared(driver, tmp_path, journal, log)
        assert driver.calls == ["prepare"]
        assert [undo.fault_id for undo in pending(path)] == ["slow"]


async def test_beginning_and_end_of_applying_are_logged(tmp_path: Path) -> None:
    """The fault takes effect between the two; measures must not use the end as the beginning."""
    path, ticks = tmp_path / "events.jsonl", iter([1.0, 1.3])
    with Journal.open(tmp_path / "j", "r") as journal, EventLog(path) as log:
        intents = await journal_faults((FAULT,), FakeDriver(), journal)
        await FaultExecutor(intents, FakeDriver(), journal, log, lambda: next(ticks)).apply(FAULT)
    facts = read_run_log(path)
    assert (facts.began_s("slow"), facts.applied_s("slow")) == (1.0, 1.3)


async def test_heal_restores_and_verifies_what_was_applied(tmp_path: Path) -> None:
    """After healing the fault is gone and the journal has nothing pending."""
    driver = FakeDriver()
    path = tmp_path / "journal.jsonl"
    with Journal.open(path, "r") as journal, EventLog(tmp_path / "events.jsonl") as log:
        faults, _ = await prepared(driver, tmp_path, journal, log)
        await faults.apply(FAULT)
        assert driver.active == {"slow"}
        await faults.heal()
        assert driver.active == set()
        assert pending(path) == []


async def test_heal_skips_a_verified_fault(tmp_path: Path) -> None:
    """A fault that was undone on time and verified is not touched again."""
    driver = FakeDriver()
    with (
        Journal.open(tmp_path / "journal.jsonl", "r") as journal,
        EventLog(tmp_path / "events.jsonl") as log,
    ):
        faults, _ = await prepared(driver, tmp_path, journal, log)
        await faults.apply(FAULT)
        await faults.undo(FAULT)
        calls = len(driver.calls)
        await faults.heal()
        assert len(driver.calls) == calls


async def test_a_failed_apply_is_logged_and_raised(tmp_path: Path) -> None:
    """The run log has the reason, so that the verdict can name it."""
    driver = FakeDriver("apply")
    events = tmp_path / "events.jsonl"
    with Journal.open(tmp_path / "journal.jsonl", "r") as journal, EventLog(events) as log:
        faults, _ = await prepared(driver, tmp_path, journal, log)
        with pytest.raises(FaultError, match="apply was refused"):
            await faults.apply(FAULT)
    assert "apply was refused" in events.read_text()


async def test_what_cannot_be_healed_is_an_error_with_its_fix(tmp_path: Path) -> None:
    """Healing ends at its limit and names the fault and the fix; the journal keeps the undo."""
    driver = FakeDriver()
    path = tmp_path / "journal.jsonl"
    with Journal.open(path, "r") as journal, EventLog(tmp_path / "events.jsonl") as log:
        faults, _ = await prepared(driver, tmp_path, journal, log)
        await faults.apply(FAULT)
        driver.broken.add("undo")
        with pytest.raises(HealError, match=r"slow: undo was refused.*aguante recover"):
            await faults.heal(limit_s=0.05)
        assert [undo.fault_id for undo in pending(path)] == ["slow"]
