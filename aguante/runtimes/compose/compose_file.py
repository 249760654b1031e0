"""The part of a compose file that the runner reads: its services, and the variable that publishes each port."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from aguante.clients.docker_project import TELEMETRY
from aguante.runtimes.ports import HOST
from aguante.testbed.runtime import TestbedError
from aguante.testbed.testbed_spec import TestbedSpec

TOXIPROXY, POSTGRES = "toxiproxy", "postgres"
"""Names of the services that the runner needs besides those of ``testbed.yaml``."""
TOXIPROXY_PORT, POSTGRES_PORT, TELEMETRY_PORT = 8474, 5432, 4318
SIDECAR_PORTS: Mapping[str, int] = {"prometheus": 9090, "jaeger": 16686}
"""Sidecar -> its port in the container."""

_PUBLISHED = re.compile(
    rf"{re.escape(HOST)}:\$\{{(?P<variable>\w+):?-\d+\}}:(?P<inside>\d+)(?:/tcp)?"
)


@dataclass(frozen=True)
class ComposeFile:
    """One compose file."""

    path: Path
    services: tuple[str, ...]
    ports: Mapping[tuple[str, int], str]
    """(service, port in its container) -> the variable that contains the published port."""

    def started(self, spec: TestbedSpec, sidecars: Collection[str] = ()) -> tuple[str, ...]:
        """Return the services to start: those that a run needs, and the sidecars; not dashboards or profiles."""
        own = [service.name for service in spec.services]
        databases = [POSTGRES] if spec.databases else []
        relay = [TELEMETRY] if TELEMETRY in self.services else []
        return (TOXIPROXY, *databases, *relay, *own, *sorted(sidecars))


def read_compose_file(path: Path, spec: TestbedSpec, sidecars: Collection[str] = ()) -> ComposeFile:
    """Read a compose file, and check that it contains every service of ``testbed.yaml``.

    Args:
        path: the file.
        spec: the system that it must contain.
        sidecars: names of ``SIDECAR_PORTS`` that it must contain, too.

    Raises:
        TestbedError: it cannot be read, lacks a service, or does not publish a port by a variable on loopback.
    """
    if not path.exists():
        message = (
            f"{path} does not exist: an installed package has no compose file, because its images are built from "
            "the repository; run in a clone of it, or omit --runtime compose"
        )
        raise TestbedError(message)
    try:
        document: object = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as why:
        message = f"{path} cannot be read: {' '.join(str(why).split())}: correct it"
        raise TestbedError(message) from why
    services = _mapping(_mapping(document).get("services"))
    found = ComposeFile(path, tuple(services), _ports(services))
    missing = [name for name in found.started(spec, sidecars) if name not in services]
    if missing:
        message = (
            f"{path} has no service {', '.join(missing)}; it must contain every service of testbed.yaml by its "
            f"name, and {TOXIPROXY}{f' and {POSTGRES}' if spec.databases else ''}"
        )
        raise TestbedError(message)
    wanted = needed_ports(spec, found, sidecars)
    unpublished = [f"{port} of {name}" for name, port in wanted if (name, port) not in found.ports]
    if unpublished:
        name, port = next(each for each in wanted if each not in found.ports)
        message = (
            f"{path} must publish port {', '.join(unpublished)} on loopback, at a port from a variable, e.g. "
            f'`ports: ["{HOST}:${{{name.upper()}_PORT:-{port}}}:{port}"]` under {name}'
        )
        raise TestbedError(message)
    return found


def needed_ports(
    spec: TestbedSpec, file: ComposeFile, sidecars: Collection[str] = ()
) -> tuple[tuple[str, int], ...]:
    """Return (service, port in its container) of everything that the runner itself connects to."""
    entry = next(link.port for link in spec.links if link.name == spec.entry)
    relay = [(TELEMETRY, TELEMETRY_PORT)] if TELEMETRY in file.services else []
    databases = [(POSTGRES, POSTGRES_PORT)] if spec.databases else []
    own = [(service.name, service.port) for service in spec.services]
    watching = [(name, SIDECAR_PORTS[name]) for name in sorted(sidecars)]
    return ((TOXIPROXY, entry), (TOXIPROXY, TOXIPROXY_PORT), *databases, *relay, *own, *watching)


def _ports(services: Mapping[str, object]) -> dict[tuple[str, int], str]:
    found = {}
    for name, service in services.items():
        published = _mapping(service).get("ports")
        for each in published if isinstance(published, list) else ():
            match = _PUBLISHED.fullmatch(str(each))
            if match:
                found[name, int(match["inside"])] = match["variable"]
    return found


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
