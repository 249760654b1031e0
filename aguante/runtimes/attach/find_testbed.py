"""Finds the testbed that ``--attach`` means: a file, stdin, an id, a Compose project, or the only testbed."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from aguante.clients.docker_cli import Docker, DockerError
from aguante.core.stored_values import first_fault
from aguante.runtimes.compose.compose_file import TOXIPROXY
from aguante.runtimes.compose.docker_testbed import Project, describe
from aguante.runtimes.testbed_state import SavedState, live_testbeds, make_private
from aguante.testbed.runtime import Testbed, TestbedError
from aguante.testbed.testbed_spec import TestbedSpec

STDIN = "-"


class UnknownTestbedError(TestbedError):
    """No testbed matches, or several do; the message lists those that run."""


async def find_testbed_of(which: str, spec: TestbedSpec, parent: Path, docker: Docker) -> Testbed:
    """Return the testbed in its current state.

    Args:
        which: as for :class:`~aguante.runtimes.attach.attach_runtime.AttachRuntime`.
        spec: the system that it should run.
        parent: folder of all testbeds.
        docker: calls Docker.

    Raises:
        UnknownTestbedError: none matches, or several do; lists those that run.
        TestbedError: it is still starting, or does not run any more.
    """
    if which == STDIN or await asyncio.to_thread(_is_readable, Path(which)):
        return await _current(await _read(which), spec, parent, docker)
    states = tuple(live_testbeds(parent))
    chosen = [each for each in states if which in ("", each.id)]
    if len(chosen) == 1:
        return await _current(chosen[0].up, spec, parent, docker)
    projects = await _projects(docker, which, states)
    if which in projects or (not which and not states and len(projects) == 1):
        return await _described(which or projects[0], spec, parent, docker)
    raise UnknownTestbedError(_not_found(which, states, projects))


def _is_readable(path: Path) -> bool:
    """A file, or a pipe such as ``<(command)``."""
    return path.is_file() or path.is_fifo()


async def _read(which: str) -> Testbed:
    text = await asyncio.to_thread(sys.stdin.read if which == STDIN else Path(which).read_text)
    try:
        return Testbed.model_validate_json(text)
    except ValidationError as error:
        message = (
            f"{'stdin' if which == STDIN else which} does not describe a testbed ({first_fault(error, Testbed)}): "
            "pass the output of `aguante up --detach --json`"
        )
        raise TestbedError(message) from error


async def _current(testbed: Testbed, spec: TestbedSpec, parent: Path, docker: Docker) -> Testbed:
    """Describe containers again, because they may have been restarted since."""
    if testbed.runtime != "compose":
        return testbed
    return await _described(testbed.id, spec, parent, docker)


async def _described(project: str, spec: TestbedSpec, parent: Path, docker: Docker) -> Testbed:
    folder = parent / "attached"
    make_private(folder)
    folder /= project
    make_private(folder)
    containers = await docker.containers(project)
    testbed = await describe(docker, spec, Project(project, containers, "", folder))
    stopped = [each.instance for each in testbed.services if not each.url]
    if stopped:
        message = (
            f"{', '.join(stopped)} of project {project} is not running: `docker compose up --wait` starts it, "
            "`docker logs` shows why it ended"
        )
        raise TestbedError(message)
    return testbed


async def _projects(docker: Docker, which: str, states: Sequence[SavedState]) -> tuple[str, ...]:
    """Return the projects with a running Toxiproxy; none if Docker fails and no testbed is named."""
    try:
        return await docker.projects_with(TOXIPROXY)
    except DockerError as error:
        if not which:
            return ()
        message = f"{_not_found(which, states, ())}. Docker could not be queried: {error}"
        raise UnknownTestbedError(message) from error


def _not_found(which: str, states: Sequence[SavedState], projects: Sequence[str]) -> str:
    what = f"there is no testbed {which!r}" if which else "which testbed?"
    ids = ", ".join(sorted({*(each.id for each in states), *projects})) or "none"
    return (
        f"{what}; running: {ids}. Name one of them, or a file with the output of "
        "`aguante up --detach --json`"
    )
