"""The parts of one native testbed, and how each is started."""

import contextlib
import os
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from aguante.clients.docker_project import TELEMETRY
from aguante.runtimes.native.jaeger_server import run_jaeger
from aguante.runtimes.native.port_map import PortMap
from aguante.runtimes.native.postgres_server import Postgres
from aguante.runtimes.native.process_group import ProcessGroup
from aguante.runtimes.native.prometheus_server import PrometheusFiles, Target, run_prometheus
from aguante.runtimes.native.service_processes import (
    ServiceStart,
    base_environment,
    bring_up,
    service_command,
    service_environment,
    start_limit,
    wait_ready_at,
)
from aguante.runtimes.native.toxiproxy_server import make_proxies, run_toxiproxy
from aguante.runtimes.ports import HOST
from aguante.runtimes.processes import Command, PortTakenError
from aguante.runtimes.sidecars import NO_SIDECARS, Sidecars
from aguante.testbed.runtime import TestbedError
from aguante.testbed.testbed_spec import TestbedSpec
from aguante.testbed.up_arguments import policy_path


@dataclass(frozen=True)
class TestbedSetup:
    """Everything that a part needs to start."""

    processes: ProcessGroup
    spec: TestbedSpec
    port_map: PortMap
    policy: str
    otlp_endpoint: str
    """Final destination of the spans, also if a relay forwards them. Empty: the testbed's Jaeger, or none."""
    sidecars: Sidecars = NO_SIDECARS

    @property
    def spans_to(self) -> str:
        """The services' OTLP endpoint: the proxy before the collector; empty: no traces."""
        link = self.spec.telemetry_link
        if link is None or not self.collector:
            return self.collector
        return f"http://{self.port_map.links[link.name].listen}"

    @property
    def collector(self) -> str:
        """The receiver of the services' spans: the relay if there is one."""
        relay = self.port_map.telemetry
        return f"http://{HOST}:{relay}" if relay else self.spans_end_at

    def with_linked_collector(self) -> "TestbedSetup":
        """A copy whose link of the spans leads to the collector."""
        link = self.spec.telemetry_link
        if link is None or not self.collector:
            return self
        return replace(self, port_map=self.port_map.with_spans_to(link, self.collector))

    @property
    def spans_end_at(self) -> str:
        """The given collector, else the testbed's own Jaeger, else empty."""
        jaeger = self.port_map.sidecars.get("jaeger-otlp")
        return self.otlp_endpoint or (f"http://{HOST}:{jaeger}" if jaeger else "")


async def start_postgres(setup: TestbedSetup) -> None:
    """Start one server with every database; raises TestbedError."""
    workspace = setup.processes.workspace
    data, log = workspace.data.resolve() / "postgres", workspace.logs / "postgres.log"
    server = Postgres(data, log, setup.processes.start)
    databases = [database.name for database in setup.spec.databases]
    await server.up(setup.port_map.postgres, databases, _connections(setup))


def _connections(setup: TestbedSetup) -> int:
    """Return PostgreSQL's connection limit: twice each instance's pool of 10, and some for the auditor.

    Twice, because a cut link leaves stale connections until the server notices.
    """
    owners = {link.caller for link in setup.spec.links if link.kind == "postgresql"}
    return 50 + 20 * sum(each.service.name in owners for each in setup.port_map.instances)


async def start_toxiproxy(setup: TestbedSetup) -> None:
    """Start one server with a proxy per link; raises TestbedError."""
    log, links = (
        setup.processes.workspace.logs / "toxiproxy.log",
        tuple(setup.port_map.links.values()),
    )
    await run_toxiproxy(setup.port_map.toxiproxy, log, setup.processes.start, links)


async def link_collector(setup: TestbedSetup) -> None:
    """Point the proxy of the spans at the current collector; raises TestbedError."""
    if link := setup.spec.telemetry_link:
        await make_proxies(setup.port_map.api, [setup.port_map.links[link.name]])


async def start_relay(setup: TestbedSetup) -> None:
    """Start the relay of spans, for a runner that attaches later; raises TestbedError."""
    command = Command(
        name=TELEMETRY,
        argv=(sys.executable, "-m", "aguante.collect.relay"),
        cwd=Path(__file__).parents[3],
        log=setup.processes.workspace.logs / f"{TELEMETRY}.log",
        env={
            **base_environment(os.environ),
            "HOST": HOST,
            "PORT": str(setup.port_map.telemetry),
            "JAEGER_OTLP": setup.spans_end_at,
        },
    )
    await wait_ready_at(setup.processes.start(command), f"{setup.collector}/healthz")


async def start_prometheus(setup: TestbedSetup) -> None:
    """Start Prometheus, which scrapes every instance and Toxiproxy; raises TestbedError."""
    targets = [
        Target("services", each.service.name, each.name, f"{HOST}:{each.port}")
        for each in setup.port_map.instances
    ]
    toxiproxy = Target("toxiproxy", "toxiproxy", "toxiproxy", f"{HOST}:{setup.port_map.toxiproxy}")
    folder = setup.processes.workspace.data.resolve() / "prometheus"
    files = PrometheusFiles(
        setup.processes.workspace.root / "prometheus.yml",
        setup.sidecars.samples or folder,
        setup.processes.workspace.logs / "prometheus.log",
    )
    rules = [setup.spec.rules / "*.yml"] if setup.spec.rules else []
    port = setup.port_map.sidecars["prometheus"]
    await run_prometheus(port, [*targets, toxiproxy], rules, files, setup.processes.start)


async def start_jaeger(setup: TestbedSetup) -> None:
    """Start Jaeger, which stores the spans; raises TestbedError."""
    ports, log = setup.port_map.sidecars, setup.processes.workspace.logs / "jaeger.log"
    await run_jaeger(ports["jaeger"], ports["jaeger-otlp"], log, setup.processes.start)


async def start_services(setup: TestbedSetup) -> None:
    """Start every instance and wait until each is ready; raises TestbedError."""
    spec, port_map, file = setup.spec, setup.port_map, policy_path(setup.spec, setup.policy)
    commands = []
    for instance in port_map.instances:
        env = service_environment(spec, instance, port_map.links, file, setup.spans_to)
        command = service_command(spec, instance, env, setup.processes.workspace.logs)
        service = instance.service
        commands.append(
            ServiceStart(
                command, instance.url + service.alive_path, instance.url + service.ready_path
            )
        )
    await bring_up(commands, setup.processes.start, start_limit())


StartPart = Callable[[TestbedSetup], Coroutine[None, None, None]]
_SIDECARS: Mapping[str, StartPart] = {"prometheus": start_prometheus, "jaeger": start_jaeger}


def parts_of(setup: TestbedSetup) -> Mapping[str, StartPart]:
    """Return the parts of this testbed by name; all can be started at the same time."""
    parts: dict[str, StartPart] = {"toxiproxy": start_toxiproxy, "services": start_services}
    if setup.spec.databases:
        parts["postgres"] = start_postgres
    if setup.port_map.telemetry:
        parts[TELEMETRY] = start_relay
    return parts | {name: _SIDECARS[name] for name in setup.sidecars.names}


@contextlib.contextmanager
def one_error() -> Iterator[None]:
    """Reduce a task group's errors to one TestbedError; PortTakenError first, because a retry solves it."""
    try:
        yield
    except BaseExceptionGroup as group:
        errors = _flat(group)
        if not all(isinstance(each, TestbedError) for each in errors):
            raise  # a bug of ours: show every traceback
        raise next(
            (each for each in errors if isinstance(each, PortTakenError)), errors[0]
        ) from None


def _flat(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    flat: list[BaseException] = []
    for each in group.exceptions:
        flat += _flat(each) if isinstance(each, BaseExceptionGroup) else [each]
    return flat
