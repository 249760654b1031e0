"""Faults on processes that a killed run did to containers of a stack that it had borrowed: undone by Docker.

Of plain processes only their own runtime knows how to start them; a container, Docker can start whoever asks.
"""

from pathlib import Path

from aguante.clients.docker_cli import Docker
from aguante.drivers.driver import FaultError
from aguante.drivers.process.process_driver import ProcessDriver
from aguante.faults.undo import ProcessUndo
from aguante.runtimes.compose.docker_control import ContainerControl
from aguante.runtimes.compose.docker_testbed import running_services
from aguante.testbed.runtime import Testbed, TestbedError
from aguante.testbed.testbed_spec import TestbedSpec


class ContainersLeft:
    """The undoing half of a :class:`~aguante.drivers.driver.FaultDriver`, for undos that another process wrote down.

    Args:
        docker: to ask.
        spec: which services there are.
    """

    def __init__(self, docker: Docker, spec: TestbedSpec) -> None:
        self._docker = docker
        self._spec = spec

    async def undo(self, undo: ProcessUndo) -> None:
        """Start what has ended and let go on what stands still; raises FaultError."""
        await (await self._driver(undo)).undo(undo)

    async def verify(self, undo: ProcessUndo) -> None:
        """Wait until each is alive and says that it can serve; raises FaultError."""
        await (await self._driver(undo)).verify(undo)

    async def _driver(self, undo: ProcessUndo) -> ProcessDriver:
        """For the containers as they are now."""
        try:
            containers = await self._docker.containers(undo.testbed)
            services = running_services(self._spec, containers)
        except TestbedError as error:
            message = f"{undo.target} of {undo.testbed} cannot be started again: {error}"
            raise FaultError(message) from error
        testbed = Testbed(
            id=undo.testbed,
            runtime="compose",
            policy="",
            gateway="",
            toxiproxy="",
            services=services,
            links=(),
            databases=(),
            servers={},
            state=Path(),
        )
        control = ContainerControl(self._docker, self._spec, testbed)
        return ProcessDriver(control, self._spec.ready_paths)
