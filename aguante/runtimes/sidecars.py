"""Prometheus and Jaeger beside a native testbed: which are wanted, and where they listen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aguante.testbed.runtime import TestbedError

SIDECARS = ("prometheus", "jaeger")


@dataclass(frozen=True)
class Sidecars:
    """What watches a testbed besides the runner.

    Raises:
        TestbedError: a name that is none.
    """

    names: frozenset[str] = frozenset()
    samples: Path | None = None
    """Where Prometheus keeps its samples; with the testbed's own data when None, and removed with it."""

    def __post_init__(self) -> None:
        """Refuse what we cannot start."""
        for name in sorted(self.names):
            if name not in SIDECARS:
                message = f"nobody called {name!r} can watch a testbed: there are {' and '.join(SIDECARS)}"
                raise TestbedError(message)

    @property
    def ports(self) -> Sequence[str]:
        """The names of the ports that they take."""
        wanted = {"prometheus": ("prometheus",), "jaeger": ("jaeger", "jaeger-otlp")}
        return tuple(port for name in SIDECARS if name in self.names for port in wanted[name])


NO_SIDECARS = Sidecars()


def addresses(host: str, ports: Mapping[str, int]) -> dict[str, str]:
    """The fields of a Testbed that tell where they are."""
    fields = {"prometheus": "prometheus", "jaeger": "jaeger", "jaeger-otlp": "jaeger_otlp"}
    return {fields[name]: f"http://{host}:{port}" for name, port in ports.items()}
