"""Describes a testbed of containers from Docker and its Toxiproxy: addresses, instances, databases."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aguante.clients.docker_cli import Container, Docker
from aguante.clients.docker_project import LIVING, TELEMETRY
from aguante.clients.toxiproxy_client import ToxiproxyClient, ToxiproxyError
from aguante.runtimes.compose.compose_file import (
    POSTGRES,
    POSTGRES_PORT,
    SIDECAR_PORTS,
    TELEMETRY_PORT,
    TOXIPROXY,
    TOXIPROXY_PORT,
)
from aguante.runtimes.ports import HOST
from aguante.testbed.runtime import (
    RunningDatabase,
    RunningLink,
    RunningService,
    Testbed,
    TestbedError,
)
from aguante.testbed.testbed_spec import TestbedSpec

SUPERUSER = "postgres"
NEVER = "0001-01-01T00:00:00Z"


@dataclass(frozen=True)
class Project:
    """One Compose project."""

    name: str
    containers: tuple[Container, ...]
    policy: str
    state: Path
    """The runner's folder for this testbed, which contains ``pgpass``."""


async def describe(docker: Docker, spec: TestbedSpec, project: Project) -> Testbed:
    """Return everything that another tool needs to attach.

    Raises:
        TestbedError: a part is missing or not published, or Toxiproxy lacks the proxy of a link.
        OSError: the password file cannot be written.
    """
    toxiproxy = _one(project, TOXIPROXY)
    api = f"http://{HOST}:{_port(toxiproxy, TOXIPROXY_PORT)}"
    entry = next(link.port for link in spec.links if link.name == spec.entry)
    relay = [each for each in project.containers if each.service == TELEMETRY]
    servers = [toxiproxy, *([_one(project, POSTGRES)] if spec.databases else ())]
    return Testbed(
        id=project.name,
        runtime="compose",
        policy=project.policy,
        gateway=f"http://{HOST}:{_port(toxiproxy, entry)}",
        toxiproxy=api,
        services=running_services(spec, project.containers),
        links=await _links(spec, api),
        databases=await _databases(docker, spec, project),
        servers={each.service: each.pid for each in servers},
        state=project.state,
        **_sidecars(project),
        telemetry=f"http://{HOST}:{_port(relay[0], TELEMETRY_PORT)}" if relay else "",
    )


def _sidecars(project: Project) -> dict[str, str]:
    """Return the addresses of Prometheus and Jaeger, if they run and are published."""
    return {
        each.service: f"http://{HOST}:{port}"
        for each in project.containers
        if each.service in SIDECAR_PORTS and each.state in LIVING
        if (port := each.ports.get(f"{SIDECAR_PORTS[each.service]}/tcp"))
    }


def running_services(
    spec: TestbedSpec, containers: Sequence[Container]
) -> tuple[RunningService, ...]:
    """Return the instances of every service, in the order of ``testbed.yaml``; without address if not running.

    Raises:
        TestbedError: a service has no container, or one does not publish its port.
    """
    found = []
    for service in spec.services:
        own = [each for each in containers if each.service == service.name]
        if not own:
            message = (
                f"there is no container of service {service.name}: start the whole stack with "
                "`docker compose up --wait`"
            )
            raise TestbedError(message)
        found += [
            RunningService(
                name=service.name,
                instance=each.instance,
                url=f"http://{HOST}:{_port(each, service.port)}" if each.state in LIVING else "",
                pid=each.pid,
                started=_epoch_s(each.started_at),
                container=each.name,
            )
            for each in own
        ]
    return tuple(found)


def _one(project: Project, service: str) -> Container:
    for each in project.containers:
        if each.service == service and each.state in LIVING:
            return each
    there = ", ".join(sorted({each.service for each in project.containers})) or "none"
    message = (
        f"project {project.name} has no running container of {service} (containers: {there}): start the "
        "whole stack with `docker compose up --wait`"
    )
    raise TestbedError(message)


def _port(container: Container, inside: int) -> int:
    port = container.ports.get(f"{inside}/tcp")
    if port:
        return port
    message = (
        f"container {container.name} does not publish its port {inside}: publish it on {HOST} "
        f'(`ports: ["{HOST}::{inside}"]`)'
    )
    raise TestbedError(message)


async def _links(spec: TestbedSpec, api: str) -> tuple[RunningLink, ...]:
    """Return the links; their addresses belong to the containers' networks."""
    try:
        proxies = await asyncio.to_thread(ToxiproxyClient(api).proxies)
    except ToxiproxyError as why:
        message = f"Toxiproxy at {api} does not list its proxies: {why}"
        raise TestbedError(message) from why
    missing = [link.name for link in spec.links if link.name not in proxies]
    if missing:
        message = (
            f"Toxiproxy at {api} has no proxy {', '.join(missing)}: start it with the configuration generated "
            "from proxies/links.yaml"
        )
        raise TestbedError(message)
    found = [proxies[link.name] for link in spec.links]
    return tuple(RunningLink(name=p.name, listen=p.listen, upstream=p.upstream) for p in found)


async def _databases(
    docker: Docker, spec: TestbedSpec, project: Project
) -> tuple[RunningDatabase, ...]:
    """Return the auditor's addresses. The password is in a private file, never in an address that is printed."""
    if not spec.databases:
        return ()
    server = _one(project, POSTGRES)
    pgpass = project.state / "pgpass"
    await asyncio.to_thread(_write_private, pgpass, await _password(docker, server))
    where = f"postgresql://{SUPERUSER}@{HOST}:{_port(server, POSTGRES_PORT)}"
    return tuple(
        RunningDatabase(name=each.name, dsn=f"{where}/{each.name}?passfile={pgpass}")
        for each in spec.databases
    )


async def _password(docker: Docker, server: Container) -> str:
    """Return the superuser's password, from the variables that the official image reads."""
    file = server.environment.get("POSTGRES_PASSWORD_FILE")
    if file:
        return (await docker.run("exec", server.id, "cat", file)).strip()
    return server.environment.get("POSTGRES_PASSWORD", "")


def _write_private(path: Path, password: str) -> None:
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(f"*:*:*:{SUPERUSER}:{escaped}\n")


def _epoch_s(at: str) -> float:
    """Convert Docker's time, which has nine decimals, to epoch seconds; 0: never started."""
    if at in ("", NEVER):
        return 0.0
    whole, _, fraction = at.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")
