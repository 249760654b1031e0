"""Which testbed is meant by ``--attach``: a file, stdin, an id, a Compose project, or the only one there is."""

import asyncio
import sys
from pathlib import Path

from pydantic import ValidationError

from aguante.clients.docker_cli import NOT_BESIDE, PROJECT_LABEL, SERVICE_LABEL, Docker, DockerError
from aguante.core.stored_values import first_fault
from aguante.runtimes.compose.compose_file import TOXIPROXY
from aguante.runtimes.compose.docker_testbed import Project, describe
from aguante.runtimes.testbed_state import SavedState, living, make_private
from aguante.testbed.runtime import Testbed, TestbedError
from aguante.testbed.testbed_spec import TestbedSpec

STDIN = "-"


class UnknownTestbedError(TestbedError):
    """No testbed matches, or several do; the message lists those that run."""


async def find_testbed_of(which: str, spec: TestbedSpec, parent: Path, docker: Docker) -> Testbed:
    """The testbed that is meant, as it stands now.

    Args:
        which: as :class:`~aguante.runtimes.attach.attach_runtime.AttachRuntime` says.
        spec: what it must be.
        parent: folder of all testbeds.
        docker: calls Docker.

    Raises:
        UnknownTestbedError: none matches, or several do; lists those that run.
        TestbedError: it is still starting, or does not run any more.
    """
    if which == STDIN or await asyncio.to_thread(_is_readable, Path(which)):
        return await _of_containers(await _read(which), spec, parent, docker)
    states = tuple(living(parent))
    chosen = [each for each in states if which in ("", each.id)]
    if len(chosen) == 1:
        return await _of_containers(chosen[0].up, spec, parent, docker)
    projects = await _projects(docker, which, states)
    if which in projects or (not which and not states and len(projects) == 1):
        return await _described(which or projects[0], spec, parent, docker)
    raise UnknownTestbedError(_nothing(which, states, projects))


def _is_readable(path: Path) -> bool:
    """A file, or a pipe such as ``<(command)``."""
    return path.is_file() or path.is_fifo()


async def _read(which: str) -> Testbed:
    text = await asyncio.to_thread(sys.stdin.read if which == STDIN else Path(which).read_text)
    try:
        return Testbed.model_validate_json(text)
    except ValidationError as error:
        message = (
            f"{'stdin' if which == STDIN else which} does not describe a testbed ({first_fault(error)}): "
            "give what `aguante up --detach --json` printed"
        )
        raise TestbedError(message) from error


async def _of_containers(
    testbed: Testbed, spec: TestbedSpec, parent: Path, docker: Docker
) -> Testbed:
    """Containers may have been started again since they were described: look anew."""
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
            f"{', '.join(stopped)} of project {project} does not run: `docker compose up --wait` starts it, "
            "`docker logs` tells why it ended"
        )
        raise TestbedError(message)
    return testbed


async def _projects(docker: Docker, which: str, states: tuple[SavedState, ...]) -> list[str]:
    """The Compose projects that have a running Toxiproxy; where none is named, none without Docker either."""
    filters = ("--filter", f"label={SERVICE_LABEL}={TOXIPROXY}", "--filter", f"label={NOT_BESIDE}")
    template = f'{{{{.Label "{PROJECT_LABEL}"}}}}'
    try:
        found = await docker.run("ps", *filters, "--format", template)
    except DockerError as error:
        if not which:
            return []
        message = (
            f"{_nothing(which, states, [])}. Whether Docker runs it could not be asked: {error}"
        )
        raise UnknownTestbedError(message) from error
    return sorted(set(found.split()))


def _nothing(which: str, states: tuple[SavedState, ...], projects: list[str]) -> str:
    what = f"there is no testbed {which!r}" if which else "which testbed?"
    ids = ", ".join(sorted({*(each.id for each in states), *projects})) or "none"
    return (
        f"{what}; running: {ids}. Name one of them, or a file with what "
        "`aguante up --detach --json` printed"
    )
