"""Operations on a whole Compose project, found by Compose's labels, and on its containers' logs."""

import asyncio
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from aguante.clients.docker_cli import (
    PROJECT_LABEL,
    CommandResult,
    Container,
    Docker,
    DockerError,
    failed,
)
from aguante.run_folder.log_files import LOG_MAX_BYTES, last_lines

REMOVE_LIMIT_S = 60.0
LOG_LIMIT_S = 30.0
LOG_LINES_MAX = LOG_MAX_BYTES // 256
"""Only the end of each log is kept; one of our lines takes about 300 bytes."""
RETRY_PAUSE_S = 0.2
"""Pause after a failed removal: a container that is being removed may still use a network."""
LAST_LINES = 12
STOP_GRACE_S = 8
"""By contract a service needs up to 5 s for requests in flight and 2 s for its last spans."""
LIVING = ("running", "paused", "restarting")
TELEMETRY = "telemetry"
"""The service of the relay, which sends its last spans to its readers before it ends."""


async def remove_project(docker: Docker, project: str) -> None:
    """Kill and remove every container, network and volume of a project, if there are any.

    This is repeated until none is found, because the daemon may still be working for a killed Compose.

    Raises:
        DockerError: Docker does not respond, or something cannot be removed within REMOVE_LIMIT_S.
    """
    deadline = time.monotonic() + REMOVE_LIMIT_S
    result = CommandResult(0, "", "")
    while left := await _left_of(docker, project):
        if time.monotonic() > deadline:
            raise failed(left[0], result)
        for call in left:
            result = await docker.call(*call, limit_s=REMOVE_LIMIT_S)
        if result.code:
            await asyncio.sleep(RETRY_PAUSE_S)


async def end_project(docker: Docker, project: str, services: Collection[str]) -> None:
    """Stop the services, then the relay, which receives their last spans; then remove everything.

    Raises:
        DockerError: Docker does not respond, or something cannot be removed.
    """
    containers = await docker.containers(project)
    grace = ("-t", str(STOP_GRACE_S))
    paused = [each.id for each in containers if each.state == "paused"]
    if paused:  # a paused container would not handle SIGTERM
        await docker.call("unpause", *paused)
    for wanted in (services, (TELEMETRY,)):
        ending = [e.id for e in containers if e.service in wanted and e.state in LIVING]
        if ending:
            await docker.call("stop", *grace, *ending, limit_s=REMOVE_LIMIT_S)
    await remove_project(docker, project)


async def _left_of(docker: Docker, project: str) -> list[tuple[str, ...]]:
    """Return the calls that remove what exists: containers before the networks and volumes that they use."""
    label = f"label={PROJECT_LABEL}={project}"
    kinds = (
        (("ps", "--all", "--quiet"), ("rm", "--force", "--volumes")),
        (("network", "ls", "--quiet"), ("network", "rm")),
        (("volume", "ls", "--quiet"), ("volume", "rm", "--force")),
    )
    found = await asyncio.gather(*(docker.run(*look, "--filter", label) for look, _ in kinds))
    return [
        (*remove, *ids.split())
        for (_, remove), ids in zip(kinds, found, strict=True)
        if ids.strip()
    ]


async def save_logs(
    docker: Docker, containers: Sequence[Container], services: Collection[str], target: Path
) -> None:
    """Write the end of each container's output, one file each: ``payments-1.log``, ``toxiproxy.log``.

    Args:
        docker: calls Docker.
        containers: the containers.
        services: the services of ``testbed.yaml``, which may have replicas.
        target: the folder.

    Raises:
        DockerError: Docker does not respond.
        OSError: the folder cannot be written.
    """
    tail = f"--tail={LOG_LINES_MAX}"
    async with asyncio.TaskGroup() as group:
        for each in containers:
            name = each.instance if each.service in services else each.service
            log = target / f"{name}.log"
            group.create_task(docker.run_to_file(log, "logs", tail, each.id, limit_s=LOG_LIMIT_S))


async def last_output(docker: Docker, container: Container) -> str:
    """Return the last lines of a container's output, indented."""
    try:
        result = await docker.call("logs", f"--tail={LAST_LINES}", container.id)
    except DockerError as error:
        return f"  ({error})"
    return last_lines(result.out + result.err, LAST_LINES)
