"""The process driver, with simulated processes and with real ones."""

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Literal

import pytest
from process_harness import INSTANCES, READY_PATHS, InMemory, Real

from aguante.drivers.driver import FaultError
from aguante.drivers.process.process_driver import ProcessDriver
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.process import ProcessFault
from aguante.run_folder.events import STARTED_ANEW

World = InMemory | Real
Action = Literal["kill", "stop", "pause", "restart"]
ACTIONS: tuple[Action, ...] = ("kill", "stop", "pause", "restart")


@pytest.fixture(params=[InMemory, Real], ids=["in-memory", "real"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Three processes of two services, running and ready."""
    made: World = request.param()
    try:
        if isinstance(made, Real):
            for instance in INSTANCES:
                await made.start(instance)
        yield made
    finally:
        await made.end()


def driver_of(world: World, ready_limit_s: float = 10.0) -> ProcessDriver:
    return ProcessDriver(world, READY_PATHS, ready=world.ready, ready_limit_s=ready_limit_s)


def fault(action: Action, service: str = "payments", instance: str = "") -> PlannedFault:
    process = ProcessFault(service=service, action=action, instance=instance)
    return PlannedFault(id="hit", fault=process, start_s=1, end_s=2)


async def states(world: World) -> dict[str, str]:
    return {each.instance: await world.state(each.instance) for each in world.testbed.services}


def pids(world: World) -> dict[str, int]:
    return {each.instance: each.pid for each in world.testbed.services}


@pytest.mark.parametrize(
    ("action", "seen"), [("kill", "ended"), ("stop", "ended"), ("pause", "stopped")]
)
async def test_an_action_hits_every_instance_of_the_service_and_no_other(
    action: Action, seen: str, world: World
) -> None:
    """Without an instance, the fault acts on every instance of the service."""
    driver = driver_of(world)
    undo = await driver.prepare(fault(action))
    assert undo.instances == ("payments-1", "payments-2")
    await driver.apply(fault(action))
    if action == "stop":  # it ends in its own time
        await driver.undo(undo)
        assert pids(world)["payments-1"] not in undo.pids
        return
    assert await states(world) == {"payments-1": seen, "payments-2": seen, "inventory-1": "running"}


async def test_one_instance_can_be_hit_alone(world: World) -> None:
    """The other instances of the service continue."""
    one = fault("kill", instance="payments-2")
    driver = driver_of(world)
    await driver.prepare(one)
    await driver.apply(one)
    assert await states(world) == {
        "payments-1": "running",
        "payments-2": "ended",
        "inventory-1": "running",
    }


@pytest.mark.parametrize("action", ACTIONS)
async def test_undo_restores_and_verify_agrees_and_twice_does_no_harm(
    action: Action, world: World
) -> None:
    """Afterwards each process is alive, not stopped, and ready; a second undo starts nothing again."""
    driver = driver_of(world)
    undo = await driver.prepare(fault(action))
    await driver.apply(fault(action))
    await driver.undo(undo)
    await driver.verify(undo)
    assert set((await states(world)).values()) == {"running"}
    after = pids(world)
    await driver.undo(undo)
    await driver.verify(undo)
    assert pids(world) == after
    assert (after["payments-1"] in undo.pids) is (action == "pause")


async def test_a_fault_begins_when_the_process_is_told_to_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``apply`` does not wait for a slow shutdown; ``undo`` does, before it starts the process again."""
    world, may_end = InMemory(), asyncio.Event()
    kill = world.kill

    async def slowly(instance: str, how: signal.Signals = signal.SIGKILL) -> None:
        await may_end.wait()
        await kill(instance, how)

    monkeypatch.setattr(world, "kill", slowly)
    driver = driver_of(world)
    undo = await driver.prepare(fault("stop"))
    await driver.apply(fault("stop"))
    undoing = asyncio.ensure_future(driver.undo(undo))
    for _ in range(20):  # turns of the loop, enough for an undo that does not wait
        await asyncio.sleep(0)
    assert not undoing.done()
    may_end.set()
    await undoing
    assert set((await states(world)).values()) == {"running"}
    assert pids(world)["payments-1"] not in undo.pids


async def test_an_undo_of_what_was_never_applied_changes_nothing(world: World) -> None:
    """A dead run may have left only an intent in the journal."""
    driver = driver_of(world)
    undo = await driver.prepare(fault("kill"))
    await driver.undo(undo)
    await driver.verify(undo)
    assert pids(world)["payments-1"] == undo.pids[0]


@pytest.mark.parametrize("action", ["kill", "pause"])
async def test_verify_tells_a_process_that_is_still_hit(action: Action, world: World) -> None:
    """The error names the process, its state, and its log."""
    driver = driver_of(world, ready_limit_s=0.0)
    undo = await driver.prepare(fault(action))
    await driver.apply(fault(action))
    with pytest.raises(FaultError, match=r"hit is still active: payments-1 .*(ended|stopped)"):
        await driver.verify(undo)


async def test_verify_tells_a_process_that_does_not_get_ready(world: World) -> None:
    """A process that is alive but not ready is not restored."""
    driver = driver_of(world, ready_limit_s=0.0)
    undo = await driver.prepare(fault("restart"))
    await driver.apply(fault("restart"))
    await driver.undo(undo)
    world.never_ready = True
    with pytest.raises(FaultError, match="payments-1 is not ready"):
        await driver.verify(undo)


async def test_a_process_is_asked_where_its_testbed_says(world: World) -> None:
    """Readiness is checked at the path of the TestbedSpec. The error names the URL."""
    elsewhere = {**READY_PATHS, "payments": "/readyz"}
    driver = ProcessDriver(world, elsewhere, ready=world.ready, ready_limit_s=0.0)
    if isinstance(world, InMemory):
        world.states |= {f"{name}/readyz": "ended" for name in INSTANCES}
    undo = await driver.prepare(fault("pause"))
    with pytest.raises(FaultError, match=r"payments-1 is not ready \(no 200 from \S+/readyz\)"):
        await driver.verify(undo)


async def test_the_evidence_tells_who_stands_in_whose_place(world: World) -> None:
    """A restart that no caller noticed shows by another pid."""
    driver = driver_of(world)
    undo = await driver.prepare(fault("restart"))
    assert STARTED_ANEW not in await driver.evidence(fault("restart"))
    await driver.apply(fault("restart"))
    await driver.undo(undo)
    assert f"{STARTED_ANEW} (was {undo.pids[0]})" in await driver.evidence(fault("restart"))


async def test_a_service_that_is_not_there_is_refused_with_those_that_are(world: World) -> None:
    """Nothing else is affected instead."""
    with pytest.raises(FaultError, match="no process refunds; there are payments-1, payments-2"):
        await driver_of(world).prepare(fault("kill", service="refunds"))


async def test_a_process_that_does_not_run_before_the_fault_is_refused(world: World) -> None:
    """A process that is already down would look like a fault that took effect."""
    await world.kill("payments-1")
    with pytest.raises(FaultError, match=r"payments-1 \(pid \d+\) did not run before"):
        await driver_of(world).prepare(fault("kill"))


async def test_what_the_runtime_cannot_do_is_a_fault_error(world: World) -> None:
    """With the words of the runtime and the name of the fault."""
    driver = driver_of(world)
    await driver.prepare(fault("pause"))
    await world.kill("payments-2")
    with pytest.raises(FaultError, match=r"fault hit could not pause payments: .*has ended"):
        await driver.apply(fault("pause"))
