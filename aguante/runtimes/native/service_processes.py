"""The services as processes: environment, start and readiness (``services/CONTRACT.md``)."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from aguante.runtimes.native.postgres_server import dsn
from aguante.runtimes.ports import HOST
from aguante.runtimes.processes import Child, Command, Start, died
from aguante.testbed.runtime import RunningLink, TestbedError
from aguante.testbed.testbed_spec import LinkSpec, ServiceSpec, TestbedSpec

READY_LIMIT_S = 30.0
POLL_S = 0.02
RESPONSE_LIMIT_S = 2.0

_INHERITED = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV")
"""Variables that services inherit, besides ``PYTHON*``. All others are dropped, such as HTTP proxies and endpoints."""


@dataclass(frozen=True)
class Instance:
    """One process of a service, and its ports."""

    service: ServiceSpec
    number: int
    port: int
    """Its own port, for readiness, metrics and setup."""
    shared_port: int
    """The port that the links lead to, shared by all replicas; a single instance has only this one."""

    @property
    def name(self) -> str:
        """``payments-1``."""
        return f"{self.service.name}-{self.number}"

    @property
    def url(self) -> str:
        """Its own base URL, which only the runner knows."""
        return f"http://{HOST}:{self.port}"


def service_command(
    spec: TestbedSpec, instance: Instance, env: Mapping[str, str], logs: Path
) -> Command:
    """The command that starts one instance: ``python -m <module>`` in the folder of ``testbed.yaml``.

    That folder is on its ``PYTHONPATH``: the services are not installed, and ``PYTHONSAFEPATH`` may be set.
    """
    inherited = base_environment(os.environ)
    search = os.pathsep.join(filter(None, (str(spec.root), inherited.get("PYTHONPATH"))))
    return Command(
        name=instance.name,
        argv=(sys.executable, "-m", instance.service.module),
        cwd=spec.root,
        log=logs / f"{instance.name}.log",
        env={**inherited, "PYTHONPATH": search, **_listening(instance), **env},
    )


def _listening(instance: Instance) -> dict[str, str]:
    where = {"HOST": HOST, "PORT": str(instance.shared_port)}
    if instance.port != instance.shared_port:
        where["OWN_PORT"] = str(instance.port)
    return where


def service_environment(
    spec: TestbedSpec,
    instance: Instance,
    links: Mapping[str, RunningLink],
    policy: Path,
    otlp_endpoint: str,
) -> dict[str, str]:
    """Return the environment that the contract defines: the service's links, policy and telemetry endpoint.

    No service receives the direct address of another.
    """
    own = {
        link_variable(link): _link_address(link, links[link.name])
        for link in spec.links
        if link.caller == instance.service.name
    }
    return {
        **own,
        "AGUANTE_POLICY": str(policy),
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_endpoint,
        "OTEL_RESOURCE_ATTRIBUTES": f"service.instance.id={instance.name}",
        "LOG_LEVEL": "INFO",
    }


def link_variable(link: LinkSpec) -> str:
    """Return ``LINK_RESERVATIONS_PAYMENTS`` for ``reservations-payments``, or the variable that the link names."""
    return link.variable or "LINK_" + link.name.upper().replace("-", "_")


def start_limit() -> int:
    """Return how many services start at the same time: one per core, at least two.

    Five at once on two cores leave a third of a core to initdb, which all of them wait for; that adds 0.5 s.
    """
    return max(2, os.cpu_count() or 2)


@dataclass(frozen=True)
class ServiceStart:
    """The command that starts one instance, and the URLs of its checks."""

    command: Command
    alive_url: str
    ready_url: str


async def bring_up(commands: Sequence[ServiceStart], start: Start, at_once: int) -> None:
    """Start services, and wait until each readiness check returns 200.

    Args:
        commands: the instances.
        start: starts a child and registers it, so that it can be ended later.
        at_once: limit of instances that are started but not yet alive.

    Raises:
        TestbedError: one ended, or was not ready within READY_LIMIT_S; includes its last response or output.
    """
    limit = aiohttp.ClientTimeout(total=RESPONSE_LIMIT_S)
    slots = asyncio.Semaphore(at_once)

    async def start_one(one: ServiceStart) -> None:
        async with slots:
            child = start(one.command)
            await _wait_for(session, child, one.alive_url, READY_LIMIT_S)
        await _wait_for(session, child, one.ready_url, READY_LIMIT_S)

    async with aiohttp.ClientSession(timeout=limit) as session, asyncio.TaskGroup() as group:
        for each in commands:
            group.create_task(start_one(each))


async def wait_ready_at(child: Child, url: str, limit_s: float | None = None) -> None:
    """Wait until a child's readiness check returns 200.

    Args:
        child: a process of the testbed.
        url: its readiness check.
        limit_s: the longest wait; None: READY_LIMIT_S.

    Raises:
        TestbedError: it ended, or was not ready in time; includes its last response or output.
        PortTakenError: it ended because another program uses its port.
    """
    limit = aiohttp.ClientTimeout(total=RESPONSE_LIMIT_S)
    async with aiohttp.ClientSession(timeout=limit) as session:
        await _wait_for(session, child, url, limit_s or READY_LIMIT_S)


async def _wait_for(session: aiohttp.ClientSession, child: Child, url: str, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    response = "nothing"
    while time.monotonic() < deadline:
        if child.exit_code() is not None:
            raise died(child)
        response = await _response_of(session, url) or response
        if response == "200":
            return
        await asyncio.sleep(POLL_S)
    message = (
        f"{child.ref.name} was not ready within {limit_s:g} s. {url} returned: {response}\n"
        f"The last lines of its output:\n{child.output()}"
    )
    raise TestbedError(message)


async def _response_of(session: aiohttp.ClientSession, url: str) -> str:
    """Return ``200``, another status with its body, or empty if there was no response."""
    try:
        async with session.get(url) as response:
            if response.status == 200:
                return "200"
            return f"{response.status} {(await response.text())[:400]}"
    except (aiohttp.ClientError, TimeoutError):
        return ""


def base_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the part of the runner's environment that a testbed's children inherit."""
    return {
        name: value
        for name, value in environ.items()
        if name in _INHERITED or name.startswith("PYTHON")
    }


def _link_address(link: LinkSpec, running: RunningLink) -> str:
    if link.kind == "http":
        return f"http://{running.listen}"
    return dsn(link.callee, int(running.listen.rpartition(":")[2]), link.callee)
