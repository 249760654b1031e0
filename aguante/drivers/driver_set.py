"""The drivers of a run: each fault and each undo goes to the driver of its kind."""

from collections.abc import Mapping
from typing import Any

from aguante.drivers.driver import FaultDriver, FaultError
from aguante.faults.fault_kind import Fault, Undo
from aguante.faults.fault_registry import KINDS
from aguante.faults.planned_fault import PlannedFault


class Drivers:
    """A :class:`~aguante.drivers.driver.FaultDriver` for every kind that has one here.

    Args:
        by_kind: key of the kind -> its driver, e.g. ``{"toxiproxy": ToxiproxyDriver(api, run_id)}``. A fault of
            another kind is refused with the kind's own reason.
    """

    def __init__(self, by_kind: Mapping[str, FaultDriver[Any]]) -> None:
        self._by_kind = by_kind

    async def prepare(self, fault: PlannedFault) -> Undo:
        """As the fault's own driver; FaultError also where there is none."""
        undo: Undo = await self._of(fault.fault).prepare(fault)
        return undo

    async def apply(self, fault: PlannedFault) -> None:
        """As the fault's own driver."""
        await self._of(fault.fault).apply(fault)

    async def undo(self, undo: Undo) -> None:
        """As the undo's own driver."""
        await self._of(undo).undo(undo)

    async def verify(self, undo: Undo) -> None:
        """As the undo's own driver."""
        await self._of(undo).verify(undo)

    async def evidence(self, fault: PlannedFault) -> str:
        """As the fault's own driver."""
        return await self._of(fault.fault).evidence(fault)

    def _of(self, what: Fault | Undo) -> FaultDriver[Any]:
        driver = self._by_kind.get(what.driver)
        if driver is None:
            message = f"{what.target} {KINDS[what.driver].no_driver}"
            raise FaultError(message)
        return driver
