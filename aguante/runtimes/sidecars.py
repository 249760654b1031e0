"""Prometheus and Jaeger beside a native testbed: which ones are wanted, and their ports."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aguante.testbed.runtime import TestbedError

SIDECARS: Mapping[str, tuple[str, ...]] = {
    "prometheus": ("prometheus",),
    "jaeger": ("jaeger", "jaeger-otlp"),
}
"""Sidecar -> the names of its ports."""
_FIELDS = {"prometheus": "prometheus", "jaeger": "jaeger", "jaeger-otlp": "jaeger_otlp"}


@dataclass(frozen=True)
class Sidecars:
    """The sidecars of one testbed.

    Raises:
        TestbedError: an unknown name.
    """

    names: frozenset[str] = frozenset()
    samples: Path | None = None
    """Where Prometheus stores its samples; None: with the testbed's data, which is removed with the testbed."""

    def __post_init__(self) -> None:
        """Reject unknown names."""
        for name in sorted(self.names - SIDECARS.keys()):
            message = f"unknown sidecar {name!r}; choose {' or '.join(SIDECARS)}"
            raise TestbedError(message)

    @property
    def ports(self) -> tuple[str, ...]:
        """The names of the ports that they need."""
        return tuple(port for name, own in SIDECARS.items() if name in self.names for port in own)


NO_SIDECARS = Sidecars()


def addresses(host: str, ports: Mapping[str, int]) -> dict[str, str]:
    """Return the fields of a Testbed that contain the sidecars' addresses."""
    return {_FIELDS[name]: f"http://{host}:{port}" for name, port in ports.items()}
