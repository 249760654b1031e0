"""The composition root of a recovery: which driver restores an undo of a dead run, and what is gone anyway."""

import os
import subprocess

from aguante.clients.docker_cli import LIMIT_S, PROJECT_LABEL, Docker
from aguante.core.stored_values import NotARunError, read_value
from aguante.drivers.driver import FaultError
from aguante.drivers.process.containers_left import ContainersLeft
from aguante.drivers.pumba.pumba_driver import PumbaDriver
from aguante.drivers.router import Drivers
from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.faults.undo import AnyUndo, ProcessUndo, PumbaUndo, ToxiproxyUndo
from aguante.run.manual_fault import is_gone
from aguante.run_folder.folder import RunFolder
from aguante.testbed.testbed_spec import PumbaSpec, TestbedSpec


def driver_for(undo: AnyUndo, folder: RunFolder) -> Drivers:
    """The driver that restores this undo of the run in ``folder``.

    Raises:
        FaultError: the run's testbed, which says what its processes are, cannot be read.
    """
    match undo:
        case ToxiproxyUndo(api=api):
            return Drivers(ToxiproxyDriver(api, "recover"), None)
        case PumbaUndo(project=project):
            settings = PumbaSpec().with_overrides_from(os.environ)
            return Drivers(None, None, PumbaDriver(Docker(), project, "recover", settings))
        case _:
            return Drivers(None, ContainersLeft(Docker(), _spec_of(folder)))


def _spec_of(folder: RunFolder) -> TestbedSpec:
    try:
        return read_value(TestbedSpec, folder.testbed)
    except (OSError, NotARunError) as error:
        message = f"{folder.testbed} cannot be read: {error}"
        raise FaultError(message) from error


def gone(undo: AnyUndo) -> bool:
    """Whether the target of the undo has ended: a Toxiproxy with its toxics, or a project with its containers."""
    match undo:
        case PumbaUndo(project=project) | ProcessUndo(testbed=project):
            return _has_no_containers(project)
        case ToxiproxyUndo(api=api):
            return is_gone(api)


def _has_no_containers(project: str) -> bool:
    """Whether Docker lists no container of the project; False if Docker does not respond."""
    command = ("docker", "ps", "--all", "--quiet", "--filter", f"label={PROJECT_LABEL}={project}")
    try:
        found = subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0 and not found.stdout.strip()
