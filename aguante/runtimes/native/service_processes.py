"""The services as processes: their environment, their start, their readiness (``services/CONTRACT.md``)."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from aguante.runtimes.native.postgres_server import dsn
from aguante.runtimes.ports import HOST
from aguante.runtimes.processes import Child, Command, died
from aguante.testbed.runtime import RunningLink, TestbedError
from aguante.testbed.testbed_spec import LinkSpec, ServiceSpec, TestbedSpec

Start = Callable[[Command], Child]

READY_LIMIT_S = 30.0
POLL_S = 0.02
ANSWER_LIMIT_S = 2.0

_INHERITED = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV")
"""Besides ``PYTHON*``. Nothing else of the runner's environment reaches a service: no HTTP proxy of the
user's, no endpoint, no address."""


@dataclass(frozen=True)
class Instance:
    """One process of a service, and where it listens."""

    service: ServiceSpec
    number: int
    port: int
    """Its own: readiness, metrics and setup are asked for here."""
    shared_port: int
    """Where the links lead: that of all replicas; of a service that has but one it is its own."""

    @property
    def name(self) -> str:
        """``payments-1``."""
        return f"{self.service.name}-{self.number}"

    @property
    def url(self) -> str:
        """Its own address, which only the runner knows."""
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
    """What the contract tells a service: its own links, policy and telemetry, and no peer's own address."""
    own = {
        link_variable(link): _given_address(link, links[link.name])
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
    """``reservations-payments`` -> ``LINK_RESERVATIONS_PAYMENTS``, or what the link itself names."""
    return link.variable or "LINK_" + link.name.upper().replace("-", "_")


def starting_at_once() -> int:
    """How many services start at the same time: as many as there are cores, at least two.

    All five at once on two cores would leave initdb, on which they all wait, a third of a core: the
    boot took half a second longer.
    """
    return max(2, os.cpu_count() or 2)


@dataclass(frozen=True)
class Starting:
    """How one instance is started, and where it says that it is alive and ready."""

    command: Command
    alive_url: str
    ready_url: str


async def bring_up(commands: Sequence[Starting], start: Start, at_once: int) -> None:
    """Start services, and wait until each answers 200 where it says that it is ready.

    Args:
        commands: how to start each, and where to ask.
        start: starts a child and keeps it for being ended later.
        at_once: the next one is started when fewer than this are not yet alive.

    Raises:
        TestbedError: one ended, or was not ready within 30 s; says what it answered or said last.
    """
    limit = aiohttp.ClientTimeout(total=ANSWER_LIMIT_S)
    slots = asyncio.Semaphore(at_once)

    async def start_one(one: Starting) -> None:
        async with slots:
            child = start(one.command)
            await _wait_for(session, child, one.alive_url, READY_LIMIT_S)
        await _wait_for(session, child, one.ready_url, READY_LIMIT_S)

    async with aiohttp.ClientSession(timeout=limit) as session, asyncio.TaskGroup() as group:
        for each in commands:
            group.create_task(start_one(each))


async def wait_ready_at(child: Child, url: str, limit_s: float | None = None) -> None:
    """Wait until a child answers 200 at the URL where it says that it is ready.

    Args:
        child: a process of the testbed.
        url: where to ask.
        limit_s: how long it may take; READY_LIMIT_S when None.

    Raises:
        TestbedError: it ended, or was not ready in time; says what it answered or said last.
        PortTakenError: it ended because another program has its port.
    """
    limit = aiohttp.ClientTimeout(total=ANSWER_LIMIT_S)
    async with aiohttp.ClientSession(timeout=limit) as session:
        await _wait_for(session, child, url, limit_s or READY_LIMIT_S)


async def _wait_for(session: aiohttp.ClientSession, child: Child, url: str, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    answer = "nothing"
    while time.monotonic() < deadline:
        if child.exit_code() is not None:
            raise died(child)
        answer = await _asked(session, url) or answer
        if answer == "200":
            return
        await asyncio.sleep(POLL_S)
    message = (
        f"{child.ref.name} was not ready within {limit_s:g} s. {url} answered: {answer}\n"
        f"The last lines of its output:\n{child.output()}"
    )
    raise TestbedError(message)


async def _asked(session: aiohttp.ClientSession, url: str) -> str:
    """``200``, what it answered instead, or empty when it gave no answer."""
    try:
        async with session.get(url) as response:
            if response.status == 200:
                return "200"
            return f"{response.status} {(await response.text())[:400]}"
    except (aiohttp.ClientError, TimeoutError):
        return ""


def base_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What a child of a testbed may see of the runner's environment."""
    return {
        name: value
        for name, value in environ.items()
        if name in _INHERITED or name.startswith("PYTHON")
    }


def _given_address(link: LinkSpec, running: RunningLink) -> str:
    if link.kind == "http":
        return f"http://{running.listen}"
    return dsn(link.callee, int(running.listen.rpartition(":")[2]), link.callee)
