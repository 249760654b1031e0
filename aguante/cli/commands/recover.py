"""``aguante recover``: undo the faults that killed runs left behind."""

import asyncio
import os
import subprocess
from pathlib import Path

import click

from aguante.cli.exit_code import ExitCode
from aguante.cli.options.run_folders import runs_option
from aguante.cli.options.testbed_option import find_testbed
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
    """The driver that can apply this undo."""
    match undo:
        case ToxiproxyUndo(api=api):
            return Drivers(ToxiproxyDriver(api, "recover"), None)
        case PumbaUndo(project=project):
            settings = PumbaSpec().with_overrides_from(os.environ)
            return Drivers(None, None, PumbaDriver(Docker(), project, "recover", settings))
        case _:
            return Drivers(None, ContainersLeft(Docker(), find_testbed(None)))


def gone(undo: AnyUndo) -> bool:
    """Whether the fault ended together with its testbed: its Toxiproxy or its containers no longer exist."""
    match undo:
        case PumbaUndo(project=project) | ProcessUndo(testbed=project):
            return _no_containers(project)
        case ToxiproxyUndo(api=api):
            return is_gone(api)


def _no_containers(project: str) -> bool:
    """Whether Docker has no container of a project; False if Docker does not respond."""
    command = ("docker", "ps", "--all", "--quiet", "--filter", f"label={PROJECT_LABEL}={project}")
    try:
        found = subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0 and not found.stdout.strip()


@click.command("recover")
@runs_option
def recover_command(runs: Path) -> int:
    """Undo the faults that killed runs left behind: every journaled fault whose undo was not verified.

    Runs in progress are not touched. `aguante run` does the same before it starts. The command can safely be
    repeated.

    Exit 0: nothing is left to undo; 4: a fault could not be undone (the message says why).
    """
    results = asyncio.run(recover(runs, default_parent(), driver_for, gone))
    for each in results:
        if each.error:
            click.echo(f"{each.run_id}: {each.fault_id}: not healed: {each.error}", err=True)
        else:
            click.echo(f"{each.run_id}: {each.fault_id}: healed: {each.how}")
    if not results:
        click.echo("nothing to heal")
    return ExitCode.TESTBED if any(each.error for each in results) else ExitCode.OK
