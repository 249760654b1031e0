"""Containers of one testbed: killed, stopped, paused and started again by Docker itself; and watched."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Mapping

from aguante.clients.docker_cli import Container, Docker
from aguante.clients.docker_project import STOP_GRACE_S, last_words
from aguante.clients.readiness import is_ready
from aguante.runtimes.compose.docker_testbed import running_services
from aguante.testbed.runtime import Alive, ProcessState, Testbed, TestbedError
from aguante.testbed.testbed_spec import TestbedSpec

END_LIMIT_S = 15.0
READY_LIMIT_S = 30.0
POLL_S = 0.05

_STATES: Mapping[str, ProcessState] = {"running": "running", "paused": "stopped"}
"""Docker's words for ours; any other is of a container that has ended."""


class ContainerControl:
    """A :class:`~aguante.testbed.runtime.ProcessControl` on the containers of one Compose project.

    Args:
        docker: to ask.
        spec: which services there are.
        testbed: as it was when it came up.
    """

    def __init__(self, docker: Docker, spec: TestbedSpec, testbed: Testbed) -> None:
        self._docker = docker
        self._spec = spec
        self.testbed = testbed
        """As it stands now, with the pids of what was started last."""

    @property
    def docker(self) -> Docker:
        """What calls the daemon, with the environment that the compose file interpolates."""
        return self._docker

    async def state(self, instance: str) -> ProcessState:
        """As Docker tells it; raises TestbedError for an unknown instance."""
        return _STATES.get((await self._container(instance)).state, "ended")

    async def kill(self, instance: str, how: signal.Signals = signal.SIGKILL) -> None:
        """End a container and wait for its end. SIGTERM is Docker's stop: killed when it takes too long.

        Raises:
            TestbedError: no such instance, it does not run, or it did not end.
        """
        name = self._name(instance)
        if how == signal.SIGTERM:
            await self._docker.run("stop", "-t", str(STOP_GRACE_S), name, limit_s=END_LIMIT_S)
            return
        # By SIGKILL, Docker answers once the container has ended.
        await self._docker.run("kill", f"--signal={how.name}", name, limit_s=END_LIMIT_S)

    async def start(self, instance: str, *, wait_ready: bool = True) -> Testbed:
        """Start an ended container again: the same one, with the same address, a new pid.

        Raises:
            TestbedError: no such instance, it cannot be started, or it did not get ready in READY_LIMIT_S.
        """
        await self._docker.run("start", self._name(instance))
        await self.refresh()
        if wait_ready:
            await self._wait_ready(instance)
        return self.testbed

    async def pause(self, instance: str) -> None:
        """Freeze a container; raises TestbedError when there is none, or it does not run."""
        await self._docker.pause(self._name(instance))

    async def resume(self, instance: str) -> None:
        """Let it go on; raises as ``pause`` does."""
        await self._docker.run("unpause", self._name(instance))

    async def refresh(self) -> None:
        """Look again at pids and addresses; raises TestbedError."""
        containers = await self._docker.containers(self.testbed.id)
        before = {each.instance: each for each in self.testbed.services}
        services = tuple(
            # one that does not run has no address just now, and will have the same again
            each if each.url else each.model_copy(update={"url": before[each.instance].url})
            for each in running_services(self._spec, containers)
        )
        self.testbed = self.testbed.model_copy(update={"services": services})

    def _name(self, instance: str) -> str:
        for each in self.testbed.services:
            if each.instance == instance:
                return each.container
        known = ", ".join(each.instance for each in self.testbed.services)
        message = f"there is no instance {instance!r}; there are: {known}"
        raise TestbedError(message)

    async def _container(self, instance: str) -> Container:
        found = await self._docker.inspect([self._name(instance)])
        if found:
            return found[0]
        message = f"the container {self._name(instance)} is gone: somebody removed it"
        raise TestbedError(message)

    async def _wait_ready(self, instance: str) -> None:
        at = next(each for each in self.testbed.services if each.instance == instance)
        url = at.url + self._spec.ready_paths[at.name]
        deadline = time.monotonic() + READY_LIMIT_S
        while not await is_ready(url):
            if time.monotonic() > deadline:
                said = await last_words(self._docker, await self._container(instance))
                message = f"{instance} was not ready within {READY_LIMIT_S:g} s; it said:\n{said}"
                raise TestbedError(message)
            await asyncio.sleep(POLL_S)


class ContainerWatch:
    """Notices the end of containers without asking again and again: one ``docker wait`` each.

    Args:
        docker: to ask.
    """

    def __init__(self, docker: Docker) -> None:
        self._docker = docker
        self._held = contextlib.AsyncExitStack()
        self._alive: dict[str, Alive] = {}

    @property
    def parts(self) -> Mapping[str, Alive]:
        """By service."""
        return self._alive

    async def begin(self, containers: Mapping[str, str]) -> None:
        """Watch containers: service -> name; raises TestbedError."""
        for service, name in containers.items():
            waiting = await self._held.enter_async_context(self._docker.background("wait", name))
            self._alive[service] = _runs(waiting)

    async def end(self) -> None:
        """Watch no longer; idempotent."""
        self._alive = {}
        await self._held.aclose()


def _runs(waiting: asyncio.subprocess.Process) -> Alive:
    return lambda: waiting.returncode is None
