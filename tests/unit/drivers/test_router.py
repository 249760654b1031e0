"""Each fault goes to the driver that knows it, and comes back from the journal as what it was."""

from functools import partial
from pathlib import Path

import pytest

from aguante.cli.commands import recover
from aguante.cli.commands.recover import driver_for
from aguante.drivers.driver import FaultError
from aguante.drivers.router import Drivers
from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.faults.planned_fault import PlannedFault, ProcessFault, PumbaFault
from aguante.faults.undo import ProcessUndo, PumbaUndo, ToxiproxyUndo
from aguante.run_folder.journal import Journal, pending

UNDO = ProcessUndo(fault_id="hit", testbed="t1", instances=("payments-1",), pids=(4711,))
LINK = ToxiproxyUndo(fault_id="slow", api="http://127.0.0.1:1", proxy="a-b", toxic="x")
KILL = PlannedFault(
    id="hit", fault=ProcessFault(service="payments", action="kill"), start_s=1, end_s=2
)

PUMBA = PumbaUndo(
    fault_id="lossy",
    token="run.lossy",  # noqa: S106 - it opens nothing
    project="shop",
    service="payments",
    command="iptables loss",
    containers=("shop-payments-1",),
    started=("2026-11-24T08:00:00Z",),
    within_s=0.0,
    rules=(("INPUT", "-j", "DROP"),),
)


@pytest.fixture
def drivers() -> Drivers:
    """As recover has them: nobody here started the processes."""
    return Drivers(ToxiproxyDriver("http://127.0.0.1:1", "run"), None)


async def test_without_the_runtime_that_started_it_a_process_is_refused(drivers: Drivers) -> None:
    """Neither broken nor said to be fixed; the message says what to do instead."""
    for refused in (drivers.prepare(KILL), drivers.apply(KILL), drivers.evidence(KILL)):
        with pytest.raises(FaultError, match=r"payments cannot be signalled or started from here"):
            await refused
    for refused in (drivers.undo(UNDO), drivers.verify(UNDO)):
        with pytest.raises(FaultError, match=r"payments-1 cannot be .*`aguante down`"):
            await refused


async def test_pumba_is_refused_where_there_are_no_containers(drivers: Drivers) -> None:
    """A borrowed testbed may turn out to be one of plain processes."""
    fault = PumbaFault(service="payments", command="kill")
    planned = PlannedFault(id="hit", fault=fault, start_s=1, end_s=2)
    with pytest.raises(FaultError, match=r"payments is no container .*--runtime compose"):
        await drivers.prepare(planned)


async def test_recovery_has_an_answer_for_every_kind_of_undo(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It tries what it can, and says why it cannot; it never breaks down over one."""
    monkeypatch.setenv("PATH", str(tmp_path))  # no Docker there
    hasty = partial(ToxiproxyDriver, removal_limit_s=0.1)  # how long it tries is shown elsewhere
    monkeypatch.setattr(recover, "ToxiproxyDriver", hasty)
    said = {"toxiproxy": "gave no answer", "process": "install Docker", "pumba": "install Docker"}
    for undo in (LINK, UNDO, PUMBA):
        with pytest.raises(FaultError, match=said[undo.driver]):
            await driver_for(undo).undo(undo)


async def test_a_link_is_still_its_own_driver_s(drivers: Drivers) -> None:
    """It tries, and says why it could not."""
    with pytest.raises(FaultError, match=r"slow could not be verified undone"):
        await drivers.verify(LINK)


def test_the_journal_keeps_each_undo_as_what_it_is(tmp_path: Path) -> None:
    """Last intent first; every kind in one file."""
    path = tmp_path / "journal.jsonl"
    with Journal.open(path, "run") as journal:
        journal.intend(LINK)
        journal.intend(UNDO)
        journal.intend(PUMBA)
    assert pending(path) == [PUMBA, UNDO, LINK]
