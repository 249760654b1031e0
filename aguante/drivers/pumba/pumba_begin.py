"""When a fault by Pumba has begun: Pumba says so, and Docker shows it where it is something that Docker shows."""

import asyncio
import time
from dataclasses import dataclass

from aguante.drivers.driver import FaultError
from aguante.drivers.pumba.pumba_containers import Containers
from aguante.drivers.pumba.pumba_run import Line, PumbaRun
from aguante.faults.pumba.pumba_commands import COMMANDS
from aguante.faults.pumba.pumba_fault import PumbaUndo

BEGIN_LIMIT_S = 15.0
"""For Pumba to make the fault real; its helper containers take about a second."""
EXEC_FAILS_WITHIN_S = 0.5
"""A program that cannot be run has failed by then; one that runs on is the fault."""
POLL_S = 0.05


@dataclass(frozen=True)
class Beginning:
    """Waits for it.

    Args:
        containers: to look.
    """

    containers: Containers

    async def begins(self, undo: PumbaUndo, run: PumbaRun, container: str) -> None:
        """Return when the fault holds on one container; one that is told to end is only told.

        Raises:
            FaultError: Pumba ended without, or the fault did not hold in time.
        """
        said = await run.says(COMMANDS[undo.command].begun, BEGIN_LIMIT_S)
        if undo.command in ("kill", "rm"):
            await run.end(BEGIN_LIMIT_S)
        elif undo.command == "exec":
            await run.end(EXEC_FAILS_WITHIN_S)
        await self._no_failure(run, container)
        await self._agrees(undo, run, container, said)

    async def _no_failure(self, run: PumbaRun, container: str) -> None:
        if run.ended and run.process.returncode and not await self._died(container):
            message = f"Pumba ended with code {run.process.returncode}: {run.words()}"
            raise FaultError(message)

    async def _died(self, container: str) -> bool:
        """A program that ends its own container fails with it, and has done what it should."""
        there = await self.containers.named([container])
        return container in there and there[container].state == "exited"

    async def _agrees(self, undo: PumbaUndo, run: PumbaRun, container: str, said: Line) -> None:
        """Wait until Docker shows what Pumba says, where it is something that Docker shows."""
        deadline = time.monotonic() + BEGIN_LIMIT_S
        while why := await self._not_yet(undo, container, said):
            await self._no_failure(run, container)
            if time.monotonic() > deadline:
                raise FaultError(why)
            await asyncio.sleep(POLL_S)

    async def _not_yet(self, undo: PumbaUndo, container: str, said: Line) -> str:
        shown = {"pause": "paused", "stress": "running"}.get(undo.command)
        if shown is None and undo.command != "rm":
            return ""
        name = said.id if undo.command == "stress" else container
        there = await self.containers.named([name])
        found = next((each.state for each in there.values()), "gone")
        wanted = shown or "gone"
        return "" if found == wanted else f"{name} is {found}, not {wanted}"
