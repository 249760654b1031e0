"""``make stack``: starts the whole system in containers; if that fails, removes them and explains why."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from aguante.clients.docker_cli import Docker, DockerError
from aguante.clients.docker_project import LIVING, REMOVE_LIMIT_S
from aguante.runtimes.compose.compose_runtime import PULL_LIMIT_S, UP_LIMIT_S, require_docker
from aguante.runtimes.compose.docker_trouble import why_not_up
from offline.engine import Say
from offline.wanted import ROOT

WITHOUT_GRAFANA = ROOT / "docker" / "without-grafana.yml"


async def start_stack(docker: Docker, files: Sequence[Path], say: Say) -> None:
    """Run `docker compose up --wait`; if it fails, remove the containers but keep the volumes.

    If some containers were already running before, all containers stay, because the stack may be in use.

    Args:
        docker: calls Docker.
        files: the compose file, and files that override parts of it.
        say: receives progress messages.

    Raises:
        DockerError: the stack is not healthy; says why, how to fix it, and what is left.
    """
    await require_docker(docker)
    compose = ("compose", *(word for each in files for word in ("--file", str(each))))
    project = json.loads(await docker.run(*compose, "config", "--format=json"))["name"]
    ran_before = [e.name for e in await docker.containers(project) if e.state in LIVING]
    say(f"Starting {project}; missing images are pulled or built first")
    try:
        await _up(docker, compose, project)
    except BaseException as why:
        if ran_before:
            raise _with_state(why, _KEPT.format(count=len(ran_before))) from why
        await asyncio.shield(_down(docker, compose))
        raise _with_state(why, _REMOVED) from why
    say("Everything is healthy; `make stack-down` ends it")


_REMOVED = "The containers have been removed; the volumes and their data are kept."
_KEPT = (
    "Some containers ({count}) were already running, so all are kept: `docker compose ps --all` lists them, "
    "`make stack-down` ends them."
)


async def _up(docker: Docker, compose: Sequence[str], project: str) -> None:
    up = ("--progress=plain", "up", "--wait", f"--wait-timeout={UP_LIMIT_S:g}", "--quiet-pull")
    result = await docker.call(*compose, *up, limit_s=UP_LIMIT_S + PULL_LIMIT_S)
    if result.code:
        raise DockerError(await why_not_up(docker, project, result))


async def _down(docker: Docker, compose: Sequence[str]) -> None:
    await docker.run(*compose, "down", "--timeout=8", limit_s=REMOVE_LIMIT_S)


def _with_state(why: BaseException, now: str) -> BaseException:
    """Append the current state to a DockerError; return other exceptions unchanged."""
    return DockerError(f"{why}\n{now}") if isinstance(why, DockerError) else why
