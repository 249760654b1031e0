"""One driver for every fault of a run: each is passed on to the tool that knows it."""

from aguante.drivers.base import FaultError, ProcessUndo, ToxiproxyUndo
from aguante.drivers.process import ProcessDriver
from aguante.drivers.toxiproxy import ToxiproxyDriver
from aguante.plan import PlannedFault, ProcessFault

AnyUndo = ToxiproxyUndo | ProcessUndo


class Drivers:
    """A :class:`~aguante.drivers.base.FaultDriver` of all kinds.

    Args:
        toxiproxy: for faults on links.
        process: for faults on processes; None where nobody here can start one again.
    """

    def __init__(self, toxiproxy: ToxiproxyDriver, process: ProcessDriver | None) -> None:
        self._toxiproxy = toxiproxy
        self._process = process

    async def prepare(self, fault: PlannedFault) -> AnyUndo:
        """As the fault's own driver; FaultError also where processes cannot be had."""
        if isinstance(fault.fault, ProcessFault):
            return await self._processes(fault.target).prepare(fault)
        return await self._toxiproxy.prepare(fault)

    async def apply(self, fault: PlannedFault) -> None:
        """As the fault's own driver."""
        if isinstance(fault.fault, ProcessFault):
            await self._processes(fault.target).apply(fault)
        else:
            await self._toxiproxy.apply(fault)

    async def undo(self, undo: AnyUndo) -> None:
        """As the undo's own driver."""
        if isinstance(undo, ProcessUndo):
            await self._processes(undo.target).undo(undo)
        else:
            await self._toxiproxy.undo(undo)

    async def verify(self, undo: AnyUndo) -> None:
        """As the undo's own driver."""
        if isinstance(undo, ProcessUndo):
            await self._processes(undo.target).verify(undo)
        else:
            await self._toxiproxy.verify(undo)

    async def evidence(self, fault: PlannedFault) -> str:
        """As the fault's own driver."""
        if isinstance(fault.fault, ProcessFault):
            return await self._processes(fault.target).evidence(fault)
        return await self._toxiproxy.evidence(fault)

    def _processes(self, target: str) -> ProcessDriver:
        if self._process is None:
            message = (
                f"{target} cannot be signalled or started from here: only the runtime that started a "
                "process can start it again; end the testbed with `aguante down` and start another"
            )
            raise FaultError(message)
        return self._process
