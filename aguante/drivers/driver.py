"""What every fault driver offers: prepare, apply, undo, verify, evidence.

An ``Undo`` is a state to restore, not a step to reverse: it is written to the journal and fsynced before the fault
window opens, and restoring it twice does no harm.
"""

import contextlib
from collections.abc import Iterator
from typing import Protocol, TypeVar

from aguante.faults.fault_kind import Undo
from aguante.faults.planned_fault import PlannedFault

U = TypeVar("U", bound=Undo)


class FaultError(Exception):
    """A fault could not be applied, undone or verified. The message says what, where and how to fix it."""


@contextlib.contextmanager
def as_fault_error(what: str, *errors: type[Exception]) -> Iterator[None]:
    """Raise errors of these types as a FaultError that starts with ``what``."""
    try:
        yield
    except errors as why:
        message = f"{what}: {why}"
        raise FaultError(message) from why


class FaultDriver(Protocol[U]):
    """Applies and undoes faults with one tool. Every call has a time limit of its own."""

    async def prepare(self, fault: PlannedFault) -> U:
        """Check that the fault can be applied, and return the state to restore. Changes nothing.

        Raises:
            FaultError: the target does not exist, or the values would harm the tool itself.
        """
        ...

    async def apply(self, fault: PlannedFault) -> None:
        """Apply the fault; returns when it holds.

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
        """What the tool itself reports about the fault now, as one line."""
        ...
