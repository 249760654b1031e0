"""What every fault driver offers: prepare -> Undo, apply, undo, verify, evidence.

An ``Undo`` is a state to restore, never a step to reverse: it is written to the journal and fsynced
before the fault window opens, and restoring it twice does no harm.
"""

from typing import Protocol

from aguante.faults.planned_fault import PlannedFault
from aguante.faults.undo import U


class FaultError(Exception):
    """A fault could not be applied, undone or verified. The message says what, where and how to fix it."""


class FaultDriver(Protocol[U]):
    """One tool that can break things, and fix them again. Every call has a limit of its own."""

    async def prepare(self, fault: PlannedFault) -> U:
        """Check that the fault can be applied, and say what will have to be restored. Changes nothing.

        Raises:
            FaultError: the target does not exist, or its values would hurt the tool itself.
        """
        ...

    async def apply(self, fault: PlannedFault) -> None:
        """Make the fault real.

        Raises:
            FaultError: it was refused, or no answer came in time.
        """
        ...

    async def undo(self, undo: U) -> None:
        """Restore the state of ``undo``; idempotent.

        Raises:
            FaultError: it could not be restored in time.
        """
        ...

    async def verify(self, undo: U) -> None:
        """Read back that the state of ``undo`` holds.

        Raises:
            FaultError: it does not, or it could not be read.
        """
        ...

    async def evidence(self, fault: PlannedFault) -> str:
        """What the tool itself says about the fault now, as one line."""
        ...
