"""A fault as planned: what is done to which target, and when."""

from typing import Annotated, Literal, TypeVar

from pydantic import Field

from aguante.core.values import Value
from aguante.faults.pumba_options import OptionValue


class ToxiproxyFault(Value):
    """One toxic on one link, or ``down`` (the proxy disabled)."""

    driver: Literal["toxiproxy"] = "toxiproxy"
    link: str
    toxic: str
    """Toxiproxy's own name of the toxic (``latency``, ``reset_peer``, ...), or ``down``."""
    stream: Literal["upstream", "downstream"] = "downstream"
    toxicity: float = 1.0
    """Share of *connections* affected, 0..1: Toxiproxy draws once per connection, not per request."""
    attributes: tuple[tuple[str, int], ...] = ()
    """Toxiproxy's own attribute names and units, e.g. ``(("latency", 3500), ("jitter", 200))``."""


class ProcessFault(Value):
    """One signal to the processes of one service."""

    driver: Literal["process"] = "process"
    service: str
    action: Literal["kill", "stop", "pause", "restart"]
    instance: str = ""
    """``payments-1``; empty: every instance of the service."""


class PumbaFault(Value):
    """One command of Pumba on the containers of one service."""

    driver: Literal["pumba"] = "pumba"
    service: str
    command: str
    """A name of ``aguante.faults.pumba_commands.COMMANDS``."""
    instance: str = ""
    """``payments-1``; empty: every container of the service."""
    options: tuple[tuple[str, OptionValue], ...] = ()
    """All of them, by our own names, e.g. ``(("delay_ms", 300), ("jitter_ms", 0), ...)``."""


F = TypeVar("F", ToxiproxyFault, ProcessFault, PumbaFault)


class PlannedFault(Value):
    """A fault and when it holds. One that repeats is planned as several, ``id#1``, ``id#2``, ..."""

    id: str
    fault: Annotated[ToxiproxyFault | ProcessFault | PumbaFault, Field(discriminator="driver")]
    start_s: float
    end_s: float

    @property
    def toxiproxy(self) -> ToxiproxyFault:
        """The fault as one of a link.

        Raises:
            TypeError: it is none.
        """
        return self._as(ToxiproxyFault)

    @property
    def process(self) -> ProcessFault:
        """The fault as one of processes.

        Raises:
            TypeError: it is none.
        """
        return self._as(ProcessFault)

    @property
    def pumba(self) -> PumbaFault:
        """The fault as one of containers, by Pumba.

        Raises:
            TypeError: it is none.
        """
        return self._as(PumbaFault)

    def _as(self, kind: type[F]) -> F:
        if isinstance(self.fault, kind):
            return self.fault
        wanted = kind.model_fields["driver"].default
        message = f"fault {self.id} is one by {self.fault.driver}, not by {wanted}"
        raise TypeError(message)

    @property
    def kind(self) -> str:
        """The toxic (or ``down``), the action on a process, or Pumba's command."""
        match self.fault:
            case ToxiproxyFault(toxic=kind) | ProcessFault(action=kind) | PumbaFault(command=kind):
                return kind

    @property
    def target(self) -> str:
        """What it is done to: the link, the service, or one instance of it."""
        if isinstance(self.fault, ToxiproxyFault):
            return self.fault.link
        return self.fault.instance or self.fault.service
