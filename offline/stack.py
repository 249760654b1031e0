"""``make stack``: the whole system in containers; healthy, or one message with the cause and nothing half up."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from aguante.clients.docker_cli import Docker, DockerError
from aguante.clients.docker_project import LIVING, REMOVE_LIMIT_S
from aguante.runtimes.compose.compose_runtime import PULL_LIMIT_S, UP_LIMIT_S, require_docker
from aguante.runtimes.compose.docker_trouble import why_not_up
from offline.build import Say
from offline.wanted import ROOT

WITHOUT_GRAFANA = ROOT / "docker" / "without-grafana.yml"


async def start_stack(docker: Docker, files: Sequence[Path], say: Say) -> None:
    """`docker compose up --wait`; what it leaves half up is removed again, volumes aside.

    A stack of which something ran before is not: whoever uses it keeps it.

    Args:
        docker: calls Docker.
        files: for Compose, the first one and what is laid over it.
        say: takes what is told meanwhile.

    Raises:
        DockerError: it did not get healthy; says why, how to fix it, and what is there now.
    """
    await require_docker(docker)
    compose = ("compose", *(word for each in files for word in ("--file", str(each))))
    project = json.loads(await docker.run(*compose, "config", "--format=json"))["name"]
    ran_before = [e.name for e in await docker.containers(project) if e.state in LIVING]
    say(f"Starting {project}; images that are not here are pulled or built first")
    try:
        await _up(docker, compose, project)
    except BaseException as why:
        if ran_before:
            raise _told(why, _KEPT.format(count=len(ran_before))) from why
        await asyncio.shield(_down(docker, compose))
        raise _told(why, _REMOVED) from why
    say("All of it is healthy; `make stack-down` ends it")


_REMOVED = "Nothing is left half up: the containers are removed again; volumes, and what is in them, are kept."
_KEPT = (
    "{count} containers of it ran before, so all are left as they are: `docker compose ps --all` shows them, "
    "`make stack-down` ends them."
)


async def _up(docker: Docker, compose: Sequence[str], project: str) -> None:
    up = ("--progress=plain", "up", "--wait", f"--wait-timeout={UP_LIMIT_S:g}", "--quiet-pull")
    result = await docker.call(*compose, *up, limit_s=UP_LIMIT_S + PULL_LIMIT_S)
    if result.code:
        raise DockerError(await why_not_up(docker, project, result))


async def _down(docker: Docker, compose: Sequence[str]) -> None:
    await docker.run(*compose, "down", "--timeout=8", limit_s=REMOVE_LIMIT_S)


def _told(why: BaseException, now: str) -> BaseException:
    """The same, with what is there now; an interruption stays one."""
    return DockerError(f"{why}\n{now}") if isinstance(why, DockerError) else why
