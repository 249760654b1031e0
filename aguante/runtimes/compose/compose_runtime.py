"""The compose runtime: the testbed's compose file, started as a separate Compose project for each testbed.

Ports come from the testbed's slot and are set through the file's variables, so that a container has the same address
after a restart. A killed runner leaves containers: the next start finds the folder whose lock is free, and removes the
project of that name.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from aguante.clients.docker_cli import Docker, DockerError
from aguante.clients.docker_project import end_project, save_logs
from aguante.runtimes.compose.compose_file import ComposeFile, needed_ports, read_compose_file
from aguante.runtimes.compose.docker_control import ContainerControl, ContainerWatch
from aguante.runtimes.compose.docker_testbed import Project, describe
from aguante.runtimes.compose.docker_trouble import why_not_up
from aguante.runtimes.ports import Ports, require_free
from aguante.runtimes.processes import this_process
from aguante.runtimes.testbed_state import (
    PROJECT_PREFIX,
    SavedState,
    Workspace,
    claim,
    default_parent,
)
from aguante.testbed.runtime import ONE_EACH, Alive, Testbed, TestbedError
from aguante.testbed.testbed_spec import TestbedSpec
from aguante.testbed.up_arguments import check_replicas, policy_path

COMPOSE_MIN = (2, 20)
"""Since this version, `up --wait` also waits for dependencies that end, such as the one that creates passwords."""
UP_LIMIT_S = 180.0
"""Limit for all containers to become healthy; pulling and building images take additional time."""
PULL_LIMIT_S = 1200.0


@dataclass(frozen=True)
class _Up:
    """A project, before and after its containers start."""

    spec: TestbedSpec
    workspace: Workspace
    file: ComposeFile
    docker: Docker
    """With the variables of the compose file."""


class ComposeRuntime:
    """Starts and ends one testbed of containers; a :class:`~aguante.testbed.runtime.Runtime`.

    Args:
        parent: folder of all testbeds; None: ``AGUANTE_STATE``, or a temporary folder.
        docker: calls Docker.
        gateway_port: published port of the entry link; None: a free port.
        detach: keep the testbed running after this process, until ``aguante down``.
        sidecars: services to start as well: ``prometheus``, ``jaeger``.
    """

    def __init__(
        self,
        parent: Path | None = None,
        *,
        docker: Docker | None = None,
        gateway_port: int | None = None,
        detach: bool = False,
        sidecars: Collection[str] = (),
    ) -> None:
        self._parent = parent
        self._docker = docker or Docker()
        self._gateway_port = gateway_port
        self._detach = detach
        self._sidecars = frozenset(sidecars)
        self._running: _Up | None = None
        self._watch = ContainerWatch(self._docker)
        self._control: ContainerControl | None = None

    @property
    def control(self) -> ContainerControl | None:
        """Control over every container, by Docker; None before ``up``."""
        return self._control

    @property
    def docker(self) -> Docker | None:
        """What calls Docker for this project; None before ``up``."""
        return self._control.docker if self._control else None

    def parts(self) -> Mapping[str, Alive]:
        """Liveness of Toxiproxy's and PostgreSQL's containers."""
        return self._watch.parts

    async def save_logs(self, target: Path) -> None:
        """Write the log of every container; raises TestbedError or OSError."""
        if self._running:
            docker, project = self._running.docker, self._running.workspace.id
            services = {each.name for each in self._running.spec.services}
            await save_logs(docker, await docker.containers(project), services, target)

    async def up(
        self,
        spec: TestbedSpec,
        policy: str,
        otlp_endpoint: str,
        replicas: Mapping[str, int] = ONE_EACH,
    ) -> Testbed:
        """Start every container and wait until each is healthy; arguments and errors as for ``Runtime.up``.

        ``otlp_endpoint`` is not used: containers post their spans to the relay in their project.
        """
        if spec.compose is None:
            message = "testbed.yaml names no compose file: add `compose: docker-compose.yml`, or omit --runtime"
            raise TestbedError(message)
        policy_path(spec, policy)
        check_replicas(spec, replicas)
        file = read_compose_file(spec.compose, spec, self._sidecars)
        await require_docker(self._docker)
        if self._gateway_port:
            require_free(self._gateway_port, "--gateway-port")
        try:
            return await self._boot(spec, policy, file, replicas)
        except BaseException:
            await asyncio.shield(self.down())
            raise

    async def down(self) -> None:
        """Stop the services, then remove every container, network and volume; idempotent.

        Raises:
            TestbedError: Docker does not respond. The folder stays, so that the next start tries again.
        """
        running, self._running, self._control = self._running, None, None
        await self._watch.end()
        if running is None:
            return
        services = [each.name for each in running.spec.services]
        try:
            await end_project(running.docker, running.workspace.id, services)
        except BaseException:
            running.workspace.release()
            raise
        await asyncio.to_thread(running.workspace.remove)

    async def _boot(
        self, spec: TestbedSpec, policy: str, file: ComposeFile, replicas: Mapping[str, int]
    ) -> Testbed:
        workspace = await claim(self._parent or default_parent(), prefix=PROJECT_PREFIX)
        ports = self._ports(spec, file, Ports(workspace.slot), replicas)
        environment = {
            **ports,
            "AGUANTE_POLICY": policy,
            "AGUANTE_POLICIES": str(spec.policies.resolve()),
        }
        docker = replace(self._docker, environment={**self._docker.environment, **environment})
        up = self._running = _Up(spec, workspace, file, docker)
        self._save(up, None)
        await self._compose_up(up, replicas)
        containers = await docker.containers(workspace.id)
        project = Project(workspace.id, containers, policy, workspace.root)
        testbed = await describe(docker, spec, project)
        self._control = ContainerControl(docker, spec, testbed)
        names = {each.service: each.name for each in containers if each.service in testbed.servers}
        await self._watch.begin(names)
        self._save(up, testbed)
        if self._detach:
            await self._watch.end()
            workspace.release()
        return testbed

    def _ports(
        self, spec: TestbedSpec, file: ComposeFile, ports: Ports, replicas: Mapping[str, int]
    ) -> dict[str, str]:
        """Return the value of every variable that publishes a port; replicas get consecutive ports."""
        found = dict.fromkeys(file.ports.values(), "0")
        for service, inside in needed_ports(spec, file, self._sidecars):
            number = replicas.get(service, 1)
            found[file.ports[service, inside]] = ports.take_range(number)
        if self._gateway_port:
            entry = next(link.port for link in spec.links if link.name == spec.entry)
            found[file.ports["toxiproxy", entry]] = str(self._gateway_port)
        return found

    async def _compose_up(self, up: _Up, replicas: Mapping[str, int]) -> None:
        scales = [part for name, n in replicas.items() for part in ("--scale", f"{name}={n}")]
        wanted = up.file.started(up.spec, self._sidecars)
        call = (
            *_compose(up.workspace.id, up.file.path),
            *("up", "--detach", "--wait", f"--wait-timeout={UP_LIMIT_S:g}", "--quiet-pull"),
            *scales,
            *wanted,
        )
        result = await up.docker.call(*call, limit_s=UP_LIMIT_S + PULL_LIMIT_S)
        if result.code:
            why = await why_not_up(up.docker, up.workspace.id, result)
            message = f"{why}\nAll containers have been removed."
            raise TestbedError(message)

    def _save(self, up: _Up, testbed: Testbed | None) -> None:
        up.workspace.save(
            SavedState(
                id=up.workspace.id,
                owner=this_process("runner"),
                detached=self._detach and testbed is not None,
                testbed=testbed,
                project=up.workspace.id,
            )
        )


def _compose(project: str, file: Path) -> tuple[str, ...]:
    return ("compose", "--project-name", project, "--file", str(file), "--progress=plain")


async def require_docker(docker: Docker) -> None:
    """Check that the daemon responds, and that Compose is installed and new enough.

    Raises:
        DockerError: one of them is not; says how to install it.
    """
    await docker.run("version", "--format", "{{.Server.Version}}")
    version = (await docker.run("compose", "version", "--short")).strip().removeprefix("v")
    found = tuple(int(part) for part in version.split("-")[0].split(".")[:2] if part.isdecimal())
    if found < COMPOSE_MIN:
        least = ".".join(map(str, COMPOSE_MIN))
        message = (
            f"Docker Compose {version or '(of unknown version)'} is too old: {least} or newer is required; "
            "install a current release of docker-compose-plugin (or docker-compose-v2)"
        )
        raise DockerError(message)
