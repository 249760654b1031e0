"""The contract of the process driver on real containers."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
from stack_harness import ROOT, Stack

from aguante.clients.docker_cli import Docker
from aguante.clients.readiness import is_ready
from aguante.drivers.driver import FaultError
from aguante.drivers.process.process_driver import ProcessDriver
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.process import ProcessFault
from aguante.run_folder.events import STARTED_ANEW
from aguante.runtimes.attach.attach_runtime import AttachRuntime
from aguante.runtimes.compose.docker_control import ContainerControl, ContainerWatch
from aguante.testbed.runtime import TestbedError
from aguante.testbed.testbed_file import load_testbed

pytestmark = [
    pytest.mark.alone,
    pytest.mark.container,
    pytest.mark.long("containers are started, from images that must be built first"),
]

Action = Literal["kill", "stop", "pause", "restart"]
SPEC = load_testbed(ROOT / "testbed.yaml")
READY_PATHS = SPEC.ready_paths
VICTIM = "notifications-1"
LIMIT_S = 20.0


@pytest.fixture
async def control(stack: Stack, tmp_path: Path) -> AsyncIterator[ContainerControl]:
    """Control over the stack's containers; the affected one runs again afterwards."""
    runtime = AttachRuntime(stack.project, parent=tmp_path)
    await runtime.up(SPEC, "default", "")
    found = runtime.control
    assert found is not None
    yield found
    state = await found.state(VICTIM)
    if state == "stopped":
        await found.resume(VICTIM)
    elif state == "ended":
        await found.start(VICTIM)
    await runtime.down()


def fault(action: Action) -> PlannedFault:
    process = ProcessFault(service="notifications", action=action)
    return PlannedFault(id="hit", fault=process, start_s=1, end_s=2)


@pytest.mark.parametrize("action", ["kill", "stop", "pause", "restart"])
async def test_a_fault_takes_effect_is_undone_and_verified(
    action: Action, control: ContainerControl
) -> None:
    """Afterwards the container handles requests at a known address; if it had ended, as a new process."""
    driver = ProcessDriver(control, READY_PATHS, ready_limit_s=LIMIT_S)
    undo = await driver.prepare(fault(action))
    assert undo.testbed == control.testbed.id
    await driver.apply(fault(action))
    if action in ("kill", "pause"):
        seen = {"kill": "ended", "pause": "stopped"}[action]
        assert await control.state(VICTIM) == seen
        with pytest.raises(FaultError, match=rf"hit is still active: {VICTIM}"):
            await ProcessDriver(control, READY_PATHS, ready_limit_s=0.0).verify(undo)
    await driver.undo(undo)
    await driver.verify(undo)
    anew = STARTED_ANEW in await driver.evidence(fault(action))
    assert anew is (action != "pause")
    victim = next(each for each in control.testbed.services if each.instance == VICTIM)
    assert await is_ready(victim.url + READY_PATHS["notifications"])


async def test_an_unknown_instance_is_reported_with_the_known_ones(
    control: ContainerControl,
) -> None:
    """No other container is affected."""
    with pytest.raises(TestbedError, match=r"no instance 'refunds-1'; there are: gateway-1, "):
        await control.kill("refunds-1")


async def test_what_does_not_run_cannot_be_paused(control: ContainerControl) -> None:
    """The message quotes Docker."""
    await control.kill(VICTIM)
    with pytest.raises(TestbedError, match=r"`docker pause .* failed: .*is not running"):
        await control.pause(VICTIM)


async def test_the_end_of_a_container_is_detected(control: ContainerControl) -> None:
    """The end is detected without polling."""
    watch = ContainerWatch(Docker())
    name = next(e.container for e in control.testbed.services if e.instance == VICTIM)
    await watch.begin({"part": name})
    try:
        assert watch.parts["part"]()
        await control.kill(VICTIM)
        async with asyncio.timeout(LIMIT_S):
            while watch.parts["part"]():  # noqa: ASYNC110 - it is another process that ends
                await asyncio.sleep(0.02)
    finally:
        await watch.end()
