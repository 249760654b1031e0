"""Control and liveness of a testbed's containers, through Docker."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Mapping

from aguante.clients.docker_cli import Container, Docker
from aguante.clients.docker_project import STOP_GRACE_S, last_output
from aguante.clients.readiness import is_ready
from aguante.runtimes.compose.docker_testbed import running_services
from aguante.testbed.runtime import Alive, ProcessState, Testbed, TestbedError
from aguante.testbed.testbed_spec import TestbedSpec

END_LIMIT_S = 15.0
READY_LIMIT_S = 30.0
POLL_S = 0.05

_STATES: Mapping[str, ProcessState] = {"running": "running", "paused": "stopped"}
"""Docker's states -> ours; a container in any other state has ended."""


class ContainerControl:
    """A :class:`~aguante.testbed.runtime.ProcessControl` on the containers of one Compose project.

    Args:
        docker: calls Docker.
        spec: the system that runs in the containers.
        testbed: the testbed as it started.
    """

    def __init__(self, docker: Docker, spec: TestbedSpec, testbed: Testbed) -> None:
        self._docker = docker
        self._spec = spec
        self.testbed = testbed
        """The testbed in its current state, with the pids of the containers started last."""

    @property
    def docker(self) -> Docker:
        """Calls Docker with the variables of the compose file."""
        return self._docker

    async def state(self, instance: str) -> ProcessState:
        """Return the state that Docker reports; raises TestbedError for an unknown instance."""
        return _STATES.get((await self._container(instance)).state, "ended")

    async def kill(self, instance: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal that ends a container, and wait for its end. For SIGTERM, SIGKILL follows after STOP_GRACE_S.

        Raises:
            TestbedError: there is no such instance, it does not run, or it did not end.
        """
        name = self.testbed.service(instance).container
        if how == signal.SIGTERM:
            await self._docker.run("stop", "-t", str(STOP_GRACE_S), name, limit_s=END_LIMIT_S)
            return
        # After SIGKILL, Docker returns once the container has ended.
        await self._docker.run("kill", f"--signal={how.name}", name, limit_s=END_LIMIT_S)

    async def start(self, instance: str, *, wait_ready: bool = True) -> Testbed:
        """Start an ended container again: same container, same address, a new pid.

        Raises:
            TestbedError: there is no such instance, it cannot be started, or it is not ready in READY_LIMIT_S.
        """
        await self._docker.run("start", self.testbed.service(instance).container)
        await self.refresh()
        if wait_ready:
            await self._wait_ready(instance)
        return self.testbed

    async def pause(self, instance: str) -> None:
        """Freeze a container; raises TestbedError if it does not exist, or does not run."""
        await self._docker.pause(self.testbed.service(instance).container)

    async def resume(self, instance: str) -> None:
        """Unfreeze a container; raises as ``pause`` does."""
        await self._docker.run("unpause", self.testbed.service(instance).container)

    async def refresh(self) -> None:
        """Read pids and addresses again; raises TestbedError."""
        containers = await self._docker.containers(self.testbed.id)
        before = {each.instance: each for each in self.testbed.services}
        services = tuple(
            # a container that does not run has no address now, and gets the same one when it starts
            each if each.url else each.model_copy(update={"url": before[each.instance].url})
            for each in running_services(self._spec, containers)
        )
        self.testbed = self.testbed.model_copy(update={"services": services})

    async def _container(self, instance: str) -> Container:
        name = self.testbed.service(instance).container
        found = await self._docker.inspect([name])
        if found:
            return found[0]
        message = f"container {name} does not exist any more: it was removed from outside"
        raise TestbedError(message)

    async def _wait_ready(self, instance: str) -> None:
        at = self.testbed.service(instance)
        url = at.url + self._spec.ready_paths[at.name]
        deadline = time.monotonic() + READY_LIMIT_S
        while not await is_ready(url):
            if time.monotonic() > deadline:
                output = await last_output(self._docker, await self._container(instance))
                message = f"{instance} was not ready within {READY_LIMIT_S:g} s; its last output:\n{output}"
                raise TestbedError(message)
            await asyncio.sleep(POLL_S)


class ContainerWatch:
    """Detects the end of containers without polling, by one ``docker wait`` per container.

    Args:
        docker: calls Docker.
    """

    def __init__(self, docker: Docker) -> None:
        self._docker = docker
        self._calls = contextlib.AsyncExitStack()
        self._alive: dict[str, Alive] = {}

    @property
    def parts(self) -> Mapping[str, Alive]:
        """Liveness by service."""
        return self._alive

    async def begin(self, containers: Mapping[str, str]) -> None:
        """Start watching containers, given as service -> name; raises TestbedError."""
        for service, name in containers.items():
            waiting = await self._calls.enter_async_context(self._docker.background("wait", name))
            self._alive[service] = _runs(waiting)

    async def end(self) -> None:
        """Stop watching; idempotent."""
        self._alive = {}
        await self._calls.aclose()


def _runs(waiting: asyncio.subprocess.Process) -> Alive:
    return lambda: waiting.returncode is None
