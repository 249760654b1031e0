"""``aguante recover``: heal what killed runs left behind."""

import asyncio
import os
import subprocess
from pathlib import Path

import click

from aguante.cli.options.arguments import find_testbed
from aguante.cli.options.run_folders import runs_option
from aguante.clients.docker_cli import LIMIT_S, PROJECT_LABEL, Docker
from aguante.drivers.process.containers_left import ContainersLeft
from aguante.drivers.pumba.pumba_driver import PumbaDriver
from aguante.drivers.router import Drivers
from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.faults.undo import AnyUndo, ProcessUndo, PumbaUndo, ToxiproxyUndo
from aguante.run.manual_fault import is_gone
from aguante.run.recover_runs import recover
from aguante.runtimes.testbed_state import default_parent
from aguante.testbed.testbed_spec import PumbaSpec


def driver_for(undo: AnyUndo) -> Drivers:
    """The driver that restores this undo; one on a link names its own Toxiproxy."""
    match undo:
        case ToxiproxyUndo(api=api):
            return Drivers(ToxiproxyDriver(api, "recover"), None)
        case PumbaUndo(project=project):
            settings = PumbaSpec().with_overrides_from(os.environ)
            return Drivers(None, None, PumbaDriver(Docker(), project, "recover", settings))
        case _:
            return Drivers(None, ContainersLeft(Docker(), find_testbed(None)))


def gone(undo: AnyUndo) -> bool:
    """A testbed that was ended took the toxics in its Toxiproxy's memory with it, and its containers."""
    match undo:
        case PumbaUndo(project=project) | ProcessUndo(testbed=project):
            return _no_containers(project)
        case ToxiproxyUndo(api=api):
            return is_gone(api)


def _no_containers(project: str) -> bool:
    """No answer of Docker's is no proof."""
    command = ("docker", "ps", "--all", "--quiet", "--filter", f"label={PROJECT_LABEL}={project}")
    try:
        found = subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0 and not found.stdout.strip()


@click.command("recover")
@runs_option
def recover_command(runs: Path) -> int:
    """Heal what killed runs left behind: every fault that a journal intended and nobody verified undone.

    Runs that are alive are left alone. `aguante run` does the same before it starts. Repeating it does no
    harm. Exit 0: nothing is left to heal; 4: something could not be healed (it says what and how).
    """
    results = asyncio.run(recover(runs, default_parent(), driver_for, gone))
    for each in results:
        if each.error:
            click.echo(f"{each.run_id}: {each.fault_id}: not healed: {each.error}", err=True)
        else:
            click.echo(f"{each.run_id}: {each.fault_id}: healed: {each.how}")
    if not results:
        click.echo("nothing to heal")
    return 4 if any(each.error for each in results) else 0
