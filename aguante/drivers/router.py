"""One driver for every fault of a run: each is passed on to the tool that knows it."""

from collections.abc import Mapping
from typing import cast

from aguante.drivers.driver import FaultDriver, FaultError
from aguante.drivers.process.containers_left import ContainersLeft
from aguante.drivers.process.process_driver import ProcessDriver
from aguante.drivers.pumba.pumba_driver import PumbaDriver
from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.undo import AnyUndo

__all__ = ["AnyUndo", "Drivers"]

_MISSING: Mapping[str, str] = {
    "toxiproxy": "is a link, and no Toxiproxy is known here: start from the testbed that has it",
    "process": (
        "cannot be signalled or started from here: only the runtime that started a process can start it "
        "again; end the testbed with `aguante down` and start another"
    ),
    "pumba": (
        "is no container of this testbed, and Pumba acts on containers: play it with --runtime compose, or "
        "with --attach on a testbed of containers"
    ),
}


class Drivers:
    """A :class:`~aguante.drivers.driver.FaultDriver` of all kinds.

    Args:
        toxiproxy: for faults on links; None where only others are to be undone.
        process: for faults on processes; None where nobody here can start one again.
        pumba: for faults on containers; None where there are none.
    """

    def __init__(
        self,
        toxiproxy: ToxiproxyDriver | None,
        process: ProcessDriver | ContainersLeft | None,
        pumba: PumbaDriver | None = None,
    ) -> None:
        self._known = {"toxiproxy": toxiproxy, "process": process, "pumba": pumba}

    async def prepare(self, fault: PlannedFault) -> AnyUndo:
        """As the fault's own driver; FaultError also where there is none here."""
        return await self._driver(fault.fault.driver, fault.target).prepare(fault)

    async def apply(self, fault: PlannedFault) -> None:
        """As the fault's own driver."""
        await self._driver(fault.fault.driver, fault.target).apply(fault)

    async def undo(self, undo: AnyUndo) -> None:
        """As the undo's own driver."""
        await self._driver(undo.driver, undo.target).undo(undo)

    async def verify(self, undo: AnyUndo) -> None:
        """As the undo's own driver."""
        await self._driver(undo.driver, undo.target).verify(undo)

    async def evidence(self, fault: PlannedFault) -> str:
        """As the fault's own driver."""
        return await self._driver(fault.fault.driver, fault.target).evidence(fault)

    def _driver(self, name: str, target: str) -> FaultDriver[AnyUndo]:
        """By its name in plan and journal; each is only ever given undos that it made itself."""
        driver = self._known[name]
        if driver is None:
            message = f"{target} {_MISSING[name]}"
            raise FaultError(message)
        return cast("FaultDriver[AnyUndo]", driver)
