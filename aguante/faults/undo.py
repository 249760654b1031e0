"""What each kind of fault must restore afterwards: the value that the journal keeps."""

from typing import Annotated, Literal, TypeVar

from pydantic import Field

from aguante.core.values import Value


class ToxiproxyUndo(Value):
    """The proxy as it must be afterwards: enabled, and without the toxic of this name."""

    driver: Literal["toxiproxy"] = "toxiproxy"
    fault_id: str
    api: str
    """Base URL of Toxiproxy's API."""
    proxy: str
    toxic: str
    """Name of the toxic, made of run id and fault id; empty when the fault is ``down``."""

    @property
    def target(self) -> str:
        """What is restored, for a message."""
        return self.proxy


class ProcessUndo(Value):
    """The processes as they must be afterwards: alive, not stopped, and ready."""

    driver: Literal["process"] = "process"
    fault_id: str
    testbed: str
    """Its id: processes belong to the testbed, and only what runs it can start them again."""
    instances: tuple[str, ...]
    pids: tuple[int, ...]
    """Who they were before the fault: a restart shows by other ones."""

    @property
    def target(self) -> str:
        """What is restored, for a message."""
        return ", ".join(self.instances)


class PumbaUndo(Value):
    """The containers as they must be afterwards: there, running, not paused, healthy, and nothing added."""

    driver: Literal["pumba"] = "pumba"
    fault_id: str
    token: str
    """Made of run id and fault id: every Pumba and helper container of this fault carries it."""
    project: str
    """Compose's name of the testbed."""
    service: str
    command: str
    containers: tuple[str, ...]
    """Exact names."""
    started: tuple[str, ...]
    """When each had been started, as Docker writes it: a later start shows by another time."""
    within_s: float
    """How long a Pumba that ends by itself may still take; 0: it is told to end."""
    dies_within_s: float = 0.0
    """How long a container may still take to end, which was told to by another signal than SIGKILL."""
    image: str = ""
    """Has tc or iptables, to read and clear with; empty: nothing to read."""
    interface: str = ""
    rules: tuple[tuple[str, ...], ...] = ()
    """What ``iptables`` must not have, as arguments behind ``-C``."""
    undo_command: tuple[str, ...] = ()
    """What takes an ``exec`` back; empty: the container is restarted."""
    config_hash: str = ""
    """Compose's own of the service: what is made anew must have it; empty: nothing was removed."""

    @property
    def target(self) -> str:
        """What is restored, for a message."""
        return ", ".join(self.containers)


AnyUndo = ToxiproxyUndo | ProcessUndo | PumbaUndo


Undo = Annotated[AnyUndo, Field(discriminator="driver")]


U = TypeVar("U", ToxiproxyUndo, ProcessUndo, PumbaUndo, AnyUndo)
