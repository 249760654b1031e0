"""The composition root of a recovery: which driver restores an undo of a dead run, and what is gone anyway."""

import os
import subprocess
from pathlib import Path
from typing import Any

from aguante.clients.docker_cli import LIMIT_S, PROJECT_LABEL, Docker
from aguante.clients.toxiproxy_client import is_gone
from aguante.core.stored_values import NotARunError, read_value
from aguante.drivers.driver import FaultDriver, FaultError
from aguante.drivers.process.process_driver import ProcessDriver
from aguante.drivers.pumba.pumba_driver import PumbaDriver
from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.faults.fault_kind import Undo
from aguante.faults.process import ProcessUndo
from aguante.faults.pumba.pumba_fault import PumbaUndo
from aguante.faults.toxiproxy import ToxiproxyUndo
from aguante.run_folder.folder import RunFolder
from aguante.runtimes.compose.docker_control import ContainerControl
from aguante.runtimes.compose.docker_testbed import running_services
from aguante.testbed.runtime import Testbed, TestbedError
from aguante.testbed.testbed_spec import PumbaSpec, TestbedSpec

RUN_ID = "recover"


async def driver_for(undo: Undo, folder: RunFolder) -> FaultDriver[Any]:
    """The driver that restores this undo of the run in ``folder``.

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
            return await _containers_driver(undo, Docker(), _spec_of(folder))
    message = f"{undo.target}: there is no recovery of faults by {undo.driver}"
    raise FaultError(message)


async def _containers_driver(undo: ProcessUndo, docker: Docker, spec: TestbedSpec) -> ProcessDriver:
    """For processes in containers, as they are now. A plain process can be started by its own runtime only."""
    try:
        services = running_services(spec, await docker.containers(undo.testbed))
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


def _spec_of(folder: RunFolder) -> TestbedSpec:
    try:
        return read_value(TestbedSpec, folder.testbed)
    except (OSError, NotARunError) as error:
        message = f"{folder.testbed} cannot be read: {error}"
        raise FaultError(message) from error


def gone(undo: Undo) -> bool:
    """Whether the target of the undo has ended: a Toxiproxy with its toxics, or a project with its containers."""
    match undo:
        case PumbaUndo(project=project) | ProcessUndo(testbed=project):
            return _has_no_containers(project)
        case ToxiproxyUndo(api=api):
            return is_gone(api)
    return False


def _has_no_containers(project: str) -> bool:
    """Whether Docker lists no container of the project; False if Docker does not respond."""
    command = ("docker", "ps", "--all", "--quiet", "--filter", f"label={PROJECT_LABEL}={project}")
    try:
        found = subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0 and not found.stdout.strip()
