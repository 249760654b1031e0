"""A Compose project as a whole, found by the labels that Compose gives all that it makes; and its containers."""

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
from aguante.run_folder.log_files import LOG_MAX_BYTES

REMOVE_LIMIT_S = 60.0
LOG_LIMIT_S = 30.0
LOG_LINES_MAX = LOG_MAX_BYTES // 256
"""The end of each log; a line of ours takes about 300 bytes."""
RETRY_PAUSE_S = 0.2
"""After a removal that failed: a network may still have a container that is just going."""
SAID_LINES = 12
STOP_GRACE_S = 8
"""By contract a service takes up to 5 s for requests in flight and 2 s for its last spans."""
LIVING = ("running", "paused", "restarting")
TELEMETRY = "telemetry"
"""The relay's service: it gives its readers the last spans before it ends."""


async def remove_project(docker: Docker, project: str) -> None:
    """Kill and remove every container, network and volume of a project; nothing there is no fault.

    Repeated until a look finds nothing: a Compose that was killed may have left the daemon at work.

    Raises:
        DockerError: Docker does not answer, or something cannot be removed within REMOVE_LIMIT_S.
    """
    deadline = time.monotonic() + REMOVE_LIMIT_S
    answer = CommandResult(0, "", "")
    while left := await _left_of(docker, project):
        if time.monotonic() > deadline:
            raise failed(left[0], answer)
        for call in left:
            answer = await docker.call(*call, limit_s=REMOVE_LIMIT_S)
        if answer.code:
            await asyncio.sleep(RETRY_PAUSE_S)


async def end_project(docker: Docker, project: str, services: Collection[str]) -> None:
    """End a project in order: services first, which still send their last spans; then everything is removed.

    Raises:
        DockerError: Docker does not answer, or something cannot be removed.
    """
    containers = await docker.containers(project)
    grace = ("-t", str(STOP_GRACE_S))
    paused = [each.id for each in containers if each.state == "paused"]
    if paused:  # one that stands still would never see SIGTERM
        await docker.call("unpause", *paused)
    for wanted in (services, (TELEMETRY,)):
        ending = [e.id for e in containers if e.service in wanted and e.state in LIVING]
        if ending:
            await docker.call("stop", *grace, *ending, limit_s=REMOVE_LIMIT_S)
    await remove_project(docker, project)


async def _left_of(docker: Docker, project: str) -> list[tuple[str, ...]]:
    """The calls that would remove what is there: containers before what they use."""
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
        docker: to ask.
        containers: whose output.
        services: those of ``testbed.yaml``, which may have replicas.
        target: the folder.

    Raises:
        DockerError: Docker does not answer.
        OSError: the folder cannot be written.
    """
    tail = f"--tail={LOG_LINES_MAX}"
    async with asyncio.TaskGroup() as group:
        for each in containers:
            name = each.instance if each.service in services else each.service
            log = target / f"{name}.log"
            group.create_task(docker.run_to_file(log, "logs", tail, each.id, limit_s=LOG_LIMIT_S))


async def last_words(docker: Docker, container: Container) -> str:
    """The last lines of a container's output, indented."""
    try:
        answer = await docker.call("logs", f"--tail={SAID_LINES}", container.id)
    except DockerError as error:
        return f"  ({error})"
    lines = (answer.out + answer.err).strip().splitlines()[-SAID_LINES:]
    return "\n".join(f"  {line[:400]}" for line in lines) or "  (it said nothing)"
