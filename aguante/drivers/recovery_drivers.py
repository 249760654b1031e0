"""Drivers for faults that another process journaled and did not undo, and whether anything is left to undo."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aguante.clients.docker_cli import LIMIT_S, PROJECT_LABEL, Docker
from aguante.clients.toxiproxy_client import is_gone
from aguante.drivers.driver import FaultDriver, FaultError
from aguante.drivers.process.process_driver import ProcessDriver
from aguante.drivers.pumba.pumba_driver import PumbaDriver
from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.faults.fault_kind import Undo
from aguante.faults.process import ProcessUndo
from aguante.faults.pumba.pumba_fault import PumbaUndo
from aguante.faults.toxiproxy import ToxiproxyUndo
from aguante.runtimes.compose.docker_control import ContainerControl
from aguante.runtimes.compose.docker_testbed import running_services
from aguante.testbed.runtime import Testbed, TestbedError
from aguante.testbed.testbed_spec import PumbaSpec, TestbedSpec

RUN_ID = "recover"


async def recovery_driver(undo: Undo, find_spec: Callable[[], TestbedSpec]) -> FaultDriver[Any]:
    """The driver that restores an undo; the undo names its own Toxiproxy or project.

    Args:
        undo: from a journal.
        find_spec: reads the TestbedSpec, which only faults on processes need.

    Raises:
        FaultError: it cannot be restored from here.
    """
    match undo:
        case ToxiproxyUndo(api=api):
            return ToxiproxyDriver(api, RUN_ID)
        case PumbaUndo(project=project):
            settings = PumbaSpec().with_overrides_from(os.environ)
            return PumbaDriver(Docker(), project, RUN_ID, settings)
        case ProcessUndo():
            return await _containers_driver(undo, Docker(), find_spec())
    message = f"{undo.target}: faults by {undo.driver} cannot be recovered"
    raise FaultError(message)


async def _containers_driver(undo: ProcessUndo, docker: Docker, spec: TestbedSpec) -> ProcessDriver:
    """For processes in containers: only its own runtime can start a plain process again."""
    try:
        containers = await docker.containers(undo.testbed)
        services = running_services(spec, containers)
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
    return ProcessDriver(ContainerControl(docker, spec, testbed), spec.ready_paths)


def has_ended(undo: Undo) -> bool:
    """Whether the testbed has ended since, and with it the toxics in Toxiproxy's memory or its containers."""
    match undo:
        case ToxiproxyUndo(api=api):
            return is_gone(api)
        case PumbaUndo(project=project) | ProcessUndo(testbed=project):
            return _no_containers(project)
    return False


def _no_containers(project: str) -> bool:
    """False where Docker does not answer, which proves nothing."""
    command = ("docker", "ps", "--all", "--quiet", "--filter", f"label={PROJECT_LABEL}={project}")
    try:
        found = subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0 and not found.stdout.strip()
