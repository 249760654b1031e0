"""Waits until a fault by Pumba has begun: Pumba logs it, and Docker shows it if it is visible to Docker."""

import asyncio
import time

from aguante.drivers.driver import FaultError
from aguante.drivers.pumba.pumba_containers import Containers
from aguante.drivers.pumba.pumba_run import Line, PumbaRun
from aguante.faults.pumba.pumba_commands import COMMANDS
from aguante.faults.pumba.pumba_fault import PumbaUndo

BEGIN_LIMIT_S = 15.0
"""Limit for Pumba to apply the fault; its helper containers take about a second."""
EXEC_FAILS_WITHIN_S = 0.5
"""A program that cannot be run has failed by then; one that still runs is the fault."""
POLL_S = 0.05


async def begins(containers: Containers, undo: PumbaUndo, run: PumbaRun, container: str) -> None:
    """Return when the fault is active on one container, or when the container was signalled to end.

    Raises:
        FaultError: Pumba ended without applying it, or it was not active in time.
        DockerError: Docker fails.
    """
    begun = await run.logs(COMMANDS[undo.command].begun, BEGIN_LIMIT_S)
    if undo.command in ("kill", "rm"):
        await run.end(BEGIN_LIMIT_S)
    elif undo.command == "exec":
        await run.end(EXEC_FAILS_WITHIN_S)
    await _check_not_failed(containers, run, container)
    deadline = time.monotonic() + BEGIN_LIMIT_S
    while why := await _not_yet(containers, undo, container, begun):
        await _check_not_failed(containers, run, container)
        if time.monotonic() > deadline:
            raise FaultError(why)
        await asyncio.sleep(POLL_S)


async def _check_not_failed(containers: Containers, run: PumbaRun, container: str) -> None:
    if run.ended and run.process.returncode and not await _died(containers, container):
        message = f"Pumba ended with code {run.process.returncode}: {run.words()}"
        raise FaultError(message)


async def _died(containers: Containers, container: str) -> bool:
    """A program that ends its own container fails with it, although it did what it should."""
    there = await containers.named([container])
    return container in there and there[container].state == "exited"


async def _not_yet(containers: Containers, undo: PumbaUndo, container: str, begun: Line) -> str:
    """Why Docker does not show the fault yet; empty: it does, or the fault is not visible to Docker."""
    shown = {"pause": "paused", "stress": "running"}.get(undo.command)
    if shown is None and undo.command != "rm":
        return ""
    name = begun.id if undo.command == "stress" else container
    there = await containers.named([name])
    found = next((each.state for each in there.values()), "gone")
    wanted = shown or "gone"
    return "" if found == wanted else f"{name} is {found}, not {wanted}"
