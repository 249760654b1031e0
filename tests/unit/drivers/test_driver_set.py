"""Each fault goes to the driver of its kind, and the journal returns each undo as what it was."""

from functools import partial
from pathlib import Path

import pytest

from aguante.drivers.driver import FaultError
from aguante.drivers.driver_set import Drivers
from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.faults.fault_kind import Undo
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.process import ProcessFault, ProcessUndo
from aguante.faults.pumba.pumba_fault import PumbaFault, PumbaUndo
from aguante.faults.toxiproxy import ToxiproxyUndo
from aguante.run import compose_recovery
from aguante.run.compose_recovery import driver_for
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.journal import Journal, pending
from aguante.testbed.testbed_spec import TestbedSpec

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
    """Those of a testbed that was attached: another process started its services."""
    return Drivers({"toxiproxy": ToxiproxyDriver("http://127.0.0.1:1", "run")})


async def test_without_the_runtime_that_started_it_a_process_is_refused(drivers: Drivers) -> None:
    """It is neither applied nor reported as undone; the message says what to do instead."""
    for refused in (drivers.prepare(KILL), drivers.apply(KILL), drivers.evidence(KILL)):
        with pytest.raises(FaultError, match=r"payments cannot be signalled or started from here"):
            await refused
    for refused in (drivers.undo(UNDO), drivers.verify(UNDO)):
        with pytest.raises(FaultError, match=r"payments-1 cannot be .*`aguante down`"):
            await refused


async def test_pumba_is_refused_where_there_are_no_containers(drivers: Drivers) -> None:
    """An attached testbed may consist of plain processes."""
    fault = PumbaFault(service="payments", command="kill")
    planned = PlannedFault(id="hit", fault=fault, start_s=1, end_s=2)
    with pytest.raises(FaultError, match=r"payments is no container .*--runtime compose"):
        await drivers.prepare(planned)


async def recovered(undo: Undo, folder: RunFolder) -> None:
    driver = await driver_for(undo, folder)
    await driver.undo(undo)


async def test_recovery_has_an_answer_for_every_kind_of_undo(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shop: TestbedSpec
) -> None:
    """It tries what it can and says why it cannot; no kind makes it crash."""
    monkeypatch.setenv("PATH", str(tmp_path))  # no Docker there
    hasty = partial(ToxiproxyDriver, removal_limit_s=0.1)  # how long it tries is shown elsewhere
    monkeypatch.setattr(compose_recovery, "ToxiproxyDriver", hasty)
    said = {"toxiproxy": "gave no answer", "process": "install Docker", "pumba": "install Docker"}
    folder = RunFolder.create(tmp_path, "run")
    folder.testbed.write_text(shop.model_dump_json())
    for undo in (LINK, UNDO, PUMBA):
        with pytest.raises(FaultError, match=said[undo.driver]):
            await recovered(undo, folder)


async def test_a_fault_on_a_link_goes_to_its_own_driver(drivers: Drivers) -> None:
    """It tries, and says why it could not."""
    with pytest.raises(FaultError, match=r"slow could not be verified as undone"):
        await drivers.verify(LINK)


def test_the_journal_keeps_each_undo_as_what_it_is(tmp_path: Path) -> None:
    """Last intent first; every kind in one file."""
    path = tmp_path / "journal.jsonl"
    with Journal.open(path, "run") as journal:
        journal.intend(LINK)
        journal.intend(UNDO)
        journal.intend(PUMBA)
    assert pending(path) == [PUMBA, UNDO, LINK]
