"""Faults that killed runs left behind are healed from their journals."""

from pathlib import Path

import pytest

from aguante.drivers.driver import FaultDriver, FaultError
from aguante.faults.fault_kind import Undo
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.toxiproxy import ToxiproxyUndo
from aguante.plan.plan import Plan, PlannedLoad, PlannedSetup, Window
from aguante.run.recover_runs import Recovery, recover
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.journal import Journal, pending


class FakeDriver:
    """Restores in memory; ``broken`` makes it fail."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.restored: list[str] = []

    async def prepare(self, fault: PlannedFault) -> Undo:
        raise NotImplementedError

    async def apply(self, fault: PlannedFault) -> None:
        raise NotImplementedError

    async def undo(self, undo: Undo) -> None:
        if self.broken:
            message = "no answer from Toxiproxy"
            raise FaultError(message)
        self.restored.append(undo.fault_id)

    async def verify(self, undo: Undo) -> None:
        assert undo.fault_id in self.restored

    async def evidence(self, fault: PlannedFault) -> str:
        raise NotImplementedError


def plan(runtime: str) -> Plan:
    return Plan.model_validate(
        {
            "run_id": "run",
            "experiment": "e",
            "title": "t",
            "learn": "l",
            "source": "e.yaml",
            "policy": "default",
            "seed": 1,
            "setup": PlannedSetup(events=1, capacity=1),
            "expect": (),
            "runtime": runtime,
            "phases": (Window(phase="baseline", start_s=0, end_s=1),),
            "faults": (),
            "load": PlannedLoad(profile="mixed", rate_rps=1, duration_s=1, mix=(("reserve", 1),)),
        }
    )


@pytest.fixture
def dead_run(tmp_path: Path) -> RunFolder:
    """A run on a shared testbed that was killed with one fault in force."""
    folder = RunFolder.create(tmp_path / "runs", "run")
    folder.plan.write_text(plan("attach").model_dump_json())
    with Journal.open(folder.journal, "run") as journal:
        journal.intend(ToxiproxyUndo(fault_id="slow", api="http://t", proxy="p", toxic="x"))
        journal.mark("slow", "applied")
    return folder


async def healed_with(driver: FakeDriver, folder: RunFolder) -> list[tuple[str, str, str]]:
    async def driver_for(_: Undo, __: RunFolder) -> FaultDriver:
        return driver

    recovery = Recovery(driver_for, gone=lambda _: False)
    results = await recover(folder.root.parent, folder.root.parent.parent / "testbeds", recovery)
    return [(each.fault_id, each.how, each.error) for each in results]


async def test_a_fault_on_a_shared_testbed_is_restored_and_read_back(dead_run: RunFolder) -> None:
    """It happens once; a second recovery has nothing to do."""
    driver = FakeDriver()
    assert await healed_with(driver, dead_run) == [("slow", "restored p", "")]
    assert driver.restored == ["slow"]
    assert await healed_with(driver, dead_run) == []


async def test_what_cannot_be_restored_stays_in_the_journal(dead_run: RunFolder) -> None:
    """The error is reported, and the next recovery tries again."""
    found = await healed_with(FakeDriver(broken=True), dead_run)
    assert found == [("slow", "", "no answer from Toxiproxy")]
    assert [undo.fault_id for undo in pending(dead_run.journal)] == ["slow"]


async def test_the_toxics_of_a_private_testbed_are_gone_with_it(dead_run: RunFolder) -> None:
    """No driver is called: the address may belong to another testbed by now."""
    dead_run.plan.write_text(plan("native").model_dump_json())
    driver = FakeDriver()
    assert [how for _, how, _ in await healed_with(driver, dead_run)] == [
        "its testbed is gone, with every fault on it"
    ]
    assert driver.restored == []
    assert pending(dead_run.journal) == []


async def test_a_run_that_is_alive_is_left_alone(dead_run: RunFolder) -> None:
    """Its lock is taken."""
    journal = Journal.resume(dead_run.journal)
    assert journal is not None
    with journal:
        assert await healed_with(FakeDriver(), dead_run) == []


def garble(folder: RunFolder) -> None:
    """Insert a line that a full disk made of two, before the intent."""
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    glued = b'{"kind":"mark","fault_{"kind":"mark","fault_id":"slow","state":"undone"}\n'
    folder.journal.write_bytes(b"".join([lines[0], glued, *lines[1:]]))


async def test_one_bad_journal_leaves_no_other_run_unhealed(
    dead_run: RunFolder, tmp_path: Path
) -> None:
    """It is reported with its line and the fix, whatever is wrong with it."""
    runs = tmp_path / "runs"
    for name in ("a-folder", "b-garbage", "c-empty"):
        RunFolder.create(runs, name)
    (runs / "a-folder" / "journal.jsonl").mkdir()
    (runs / "b-garbage" / "journal.jsonl").write_bytes(b"garbage\n")
    (runs / "c-empty" / "journal.jsonl").write_bytes(b"")
    folder, garbage, slow = await healed_with(FakeDriver(), dead_run)
    assert slow == ("slow", "restored p", "")
    assert folder[:2] == garbage[:2] == ("journal", "")
    assert "Is a directory" in folder[2]
    assert "journal.jsonl:1: not an entry" in garbage[2]
    assert "then remove this journal" in garbage[2]


async def test_the_readable_part_of_a_bad_journal_is_healed(dead_run: RunFolder) -> None:
    """An unreadable line is reported at every recovery, and hides no other line."""
    garble(dead_run)
    healed, reported = await healed_with(FakeDriver(), dead_run)
    assert healed == ("slow", "restored p", "")
    assert "journal.jsonl:2" in reported[2]
    assert await healed_with(FakeDriver(), dead_run) == [reported]


async def test_a_bad_journal_of_a_testbed_that_is_gone_is_set_aside(dead_run: RunFolder) -> None:
    """No fault can still be active, so the journal is renamed and not read again."""
    dead_run.plan.write_text(plan("native").model_dump_json())
    garble(dead_run)
    _, (name, how, error) = await healed_with(FakeDriver(), dead_run)
    assert (name, error) == ("journal", "")
    assert how.endswith("kept as journal.jsonl.broken")
    assert dead_run.journal.with_name("journal.jsonl.broken").exists()
    assert await healed_with(FakeDriver(), dead_run) == []
