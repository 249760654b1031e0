"""Who listens where in one native testbed, decided before anything is started."""

from collections.abc import Mapping
from dataclasses import dataclass

from aguante.runtimes.base import RunningDatabase, RunningLink, RunningService, Testbed
from aguante.runtimes.ports import HOST, Ports
from aguante.runtimes.postgres import SUPERUSER, dsn
from aguante.runtimes.processes import ProcessRef
from aguante.runtimes.services import instance_of
from aguante.runtimes.state import Workspace
from aguante.testbed import LinkSpec, TestbedSpec


@dataclass(frozen=True)
class Layout:
    """Every address of a testbed."""

    toxiproxy: int
    postgres: int
    services: Mapping[str, int]
    """Own port by service name."""
    links: Mapping[str, RunningLink]
    """By name."""

    @property
    def api(self) -> str:
        """Base URL of Toxiproxy's API."""
        return f"http://{HOST}:{self.toxiproxy}"

    def url(self, service: str) -> str:
        """A service's own address, which only the runner knows."""
        return f"http://{HOST}:{self.services[service]}"


def lay_out(spec: TestbedSpec, ports: Ports, gateway_port: int | None) -> Layout:
    """Give everything a port; the entry link gets ``gateway_port`` when there is one.

    Raises:
        TestbedError: not enough ports are free.
    """
    services = {service.name: ports.take() for service in spec.services}
    postgres = ports.take()

    def running(link: LinkSpec) -> RunningLink:
        listen = gateway_port if gateway_port and link.name == spec.entry else ports.take()
        upstream = services[link.callee] if link.kind == "http" else postgres
        return RunningLink(name=link.name, listen=f"{HOST}:{listen}", upstream=f"{HOST}:{upstream}")

    links = {link.name: running(link) for link in spec.links}
    return Layout(toxiproxy=ports.take(), postgres=postgres, services=services, links=links)


def describe(
    spec: TestbedSpec,
    layout: Layout,
    workspace: Workspace,
    policy: str,
    processes: Mapping[str, ProcessRef],
) -> Testbed:
    """All that another tool needs to attach.

    Args:
        spec: what was started.
        layout: where.
        workspace: its folder.
        policy: name of the policy that the services run with.
        processes: by name; services by instance.
    """

    def running(name: str, instance: str) -> RunningService:
        ref = processes[instance]
        return RunningService(
            name=name, instance=instance, url=layout.url(name), pid=ref.pid, started=ref.started
        )

    return Testbed(
        id=workspace.id,
        runtime="native",
        policy=policy,
        gateway=f"http://{layout.links[spec.entry].listen}",
        toxiproxy=layout.api,
        services=tuple(running(service.name, instance_of(service)) for service in spec.services),
        links=tuple(layout.links.values()),
        databases=tuple(
            RunningDatabase(name=each.name, dsn=dsn(SUPERUSER, layout.postgres, each.name))
            for each in spec.databases
        ),
        servers={name: processes[name].pid for name in ("toxiproxy", "postgres")},
        state=workspace.root,
    )
