"""The addresses of one native testbed, assigned before anything starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from aguante.runtimes.native.postgres_server import SUPERUSER, dsn
from aguante.runtimes.native.service_processes import Instance
from aguante.runtimes.ports import HOST, Ports
from aguante.runtimes.processes import ProcessRef
from aguante.runtimes.sidecars import NO_SIDECARS, Sidecars, addresses
from aguante.runtimes.testbed_state import Workspace
from aguante.testbed.runtime import (
    ONE_EACH,
    RunningDatabase,
    RunningLink,
    RunningService,
    Testbed,
)
from aguante.testbed.testbed_spec import LinkSpec, TestbedSpec


@dataclass(frozen=True)
class PortMap:
    """Every port of a testbed."""

    toxiproxy: int
    postgres: int
    instances: tuple[Instance, ...]
    links: Mapping[str, RunningLink]
    """By name."""
    telemetry: int = 0
    """Port of the relay of spans; 0: no relay."""
    sidecars: Mapping[str, int] = field(default_factory=dict)
    """Ports of Prometheus and Jaeger, by the port's name."""

    @property
    def api(self) -> str:
        """Base URL of Toxiproxy's API."""
        return f"http://{HOST}:{self.toxiproxy}"

    def with_spans_to(self, link: LinkSpec, collector: str) -> "PortMap":
        """Return a copy whose link of the spans leads to ``collector``, e.g. ``http://127.0.0.1:4318``.

        Until then the link leads to the relay's port, on which nothing listens if there is no relay.
        """
        upstream = urlsplit(collector).netloc
        link_to_it = self.links[link.name].model_copy(update={"upstream": upstream})
        return replace(self, links={**self.links, link.name: link_to_it})

    @property
    def services(self) -> Mapping[str, int]:
        """Service -> the port that its links lead to, which its replicas share."""
        return {each.service.name: each.shared_port for each in self.instances}


def assign_ports(
    spec: TestbedSpec,
    ports: Ports,
    gateway_port: int | None,
    replicas: Mapping[str, int] = ONE_EACH,
    *,
    relay: bool = False,
    sidecars: Sidecars = NO_SIDECARS,
) -> PortMap:
    """Assign a port to every part.

    Args:
        spec: the system.
        ports: free ports.
        gateway_port: port of the entry link; None: a free port.
        replicas: replicas by service.
        relay: whether there is a relay of spans.
        sidecars: Prometheus and Jaeger, if wanted.

    Raises:
        TestbedError: not enough ports are free.
    """
    instances: list[Instance] = []
    for service in spec.services:
        shared, number = ports.take(), replicas.get(service.name, 1)
        own = [shared] if number == 1 else [ports.take() for _ in range(number)]
        instances += [Instance(service, at, port, shared) for at, port in enumerate(own, start=1)]
    services = {each.service.name: each.shared_port for each in instances}
    postgres = ports.take()

    collector = ports.take() if relay or spec.telemetry_link else 0

    def running(link: LinkSpec) -> RunningLink:
        listen = gateway_port if gateway_port and link.name == spec.entry else ports.take()
        leads_to = {"postgresql": postgres, "otlp": collector}
        upstream = leads_to.get(link.kind) or services[link.callee]
        return RunningLink(name=link.name, listen=f"{HOST}:{listen}", upstream=f"{HOST}:{upstream}")

    links = {link.name: running(link) for link in spec.links}
    return PortMap(
        toxiproxy=ports.take(),
        postgres=postgres,
        instances=tuple(instances),
        links=links,
        telemetry=collector if relay else 0,
        sidecars={name: ports.take() for name in sidecars.ports},
    )


def describe(
    spec: TestbedSpec,
    port_map: PortMap,
    workspace: Workspace,
    policy: str,
    processes: Mapping[str, ProcessRef],
) -> Testbed:
    """Return everything that another tool needs to attach.

    Args:
        spec: the system that was started.
        port_map: its ports.
        workspace: its folder.
        policy: name of the policy that the services run with.
        processes: processes by name; services by instance.
    """

    def running(each: Instance) -> RunningService:
        ref = processes[each.name]
        return RunningService(
            name=each.service.name,
            instance=each.name,
            url=each.url,
            pid=ref.pid,
            started=ref.started,
        )

    return Testbed(
        id=workspace.id,
        runtime="native",
        policy=policy,
        gateway=f"http://{port_map.links[spec.entry].listen}",
        toxiproxy=port_map.api,
        services=tuple(running(each) for each in port_map.instances),
        links=tuple(port_map.links.values()),
        databases=tuple(
            RunningDatabase(name=each.name, dsn=dsn(SUPERUSER, port_map.postgres, each.name))
            for each in spec.databases
        ),
        servers={
            name: processes[name].pid for name in ("toxiproxy", "postgres") if name in processes
        },
        state=workspace.root,
        telemetry=f"http://{HOST}:{port_map.telemetry}" if port_map.telemetry else "",
        **addresses(HOST, port_map.sidecars),
    )
