"""The runtime that a command has chosen, before it is made: each run makes its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from aguante.testbed.runtime import Runtime

if TYPE_CHECKING:  # importing it takes 30 ms, and most commands need only the name of the runtime
    from aguante.clients.docker_cli import Docker

RuntimeName = Literal["native", "compose", "attach"]


class RuntimeWithDocker(Runtime, Protocol):
    """A runtime that may have started its services as containers."""

    @property
    def docker(self) -> "Docker | None":
        """What calls Docker, once the testbed is up; None: its services are plain processes."""
        ...


@dataclass(frozen=True)
class ChosenRuntime:
    """A runtime by name, with its options."""

    name: RuntimeName
    which: str = ""
    """The testbed to attach to."""
    sidecars: tuple[str, ...] = ()
    """Servers to start beside the testbed: ``prometheus``, ``jaeger``."""

    def make(self, wanted: tuple[str, ...] = (), samples: Path | None = None) -> RuntimeWithDocker:
        """A new runtime. Imports only what it needs.

        Args:
            wanted: sidecars that the experiment needs, besides those that were chosen.
            samples: where Prometheus stores its data.
        """
        if self.name == "compose":
            from aguante.runtimes.compose.compose_runtime import ComposeRuntime

            return ComposeRuntime(sidecars={*self.sidecars, *wanted})
        if self.name == "attach":
            from aguante.runtimes.attach.attach_runtime import AttachRuntime

            return AttachRuntime(self.which)
        from aguante.runtimes.native.native_runtime import NativeRuntime
        from aguante.runtimes.sidecars import Sidecars

        names = frozenset((*self.sidecars, *wanted))
        return NativeRuntime(sidecars=Sidecars(names, samples))

    @property
    def options(self) -> tuple[str, ...]:
        """The command-line options that choose the same runtime."""
        name = () if self.name == "native" else ("--runtime", self.name)
        which = ("--attach", self.which) if self.which else ()
        sidecars = ("--with", ",".join(self.sidecars)) if self.sidecars else ()
        return (*name, *which, *sidecars)


NATIVE = ChosenRuntime("native")
