"""A fault of a run: what is done, and when."""

from typing import TypeVar

from aguante.core.values import Value
from aguante.faults.fault_kind import Fault
from aguante.faults.fault_registry import AnyFault

F = TypeVar("F", bound=Fault)


class PlannedFault(Value):
    """A fault and when it holds, seconds since t0. One that repeats is planned as several: ``id#1``, ``id#2``, ..."""

    id: str
    fault: AnyFault
    start_s: float
    end_s: float

    def of(self, kind: type[F]) -> F:
        """The fault as one of this kind.

        Raises:
            TypeError: it is of another kind.
        """
        if isinstance(self.fault, kind):
            return self.fault
        wanted = kind.model_fields["driver"].default
        message = f"fault {self.id} is one by {self.fault.driver}, not by {wanted}"
        raise TypeError(message)

    @property
    def length_s(self) -> float:
        """How long it holds."""
        return self.end_s - self.start_s

    @property
    def variant(self) -> str:
        """The toxic (or ``down``), the action on a process, Pumba's command."""
        return self.fault.variant

    @property
    def target(self) -> str:
        """The link, the service, or one instance of it."""
        return self.fault.target
