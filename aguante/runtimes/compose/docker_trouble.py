"""Explains why a Compose project did not start: a known cause with its fix, or the last output of its containers."""

from collections.abc import Sequence

from aguante.clients.docker_causes import known_cause, last_line
from aguante.clients.docker_cli import CommandResult, Container, Docker, failed
from aguante.clients.docker_project import last_output

TROUBLED_MAX = 2
"""Containers whose output is quoted in a message."""
STARTING = ("running", "starting")
"""State and health of a container that is not healthy yet."""


async def why_not_up(docker: Docker, project: str, result: CommandResult) -> str:
    """Return the cause that Compose names, else Compose's error and the last output of unhealthy containers.

    Args:
        docker: calls Docker.
        project: the project that did not start.
        result: the result of `docker compose up`.

    Raises:
        DockerError: Docker does not respond.
    """
    error = last_line(result.err)
    troubled = _troubled(await docker.containers(project))[:TROUBLED_MAX]
    if known_cause(error) or not troubled:
        return str(failed(("compose", "up"), result))
    parts = [f"{_state_of(each)}\n{await last_output(docker, each)}" for each in troubled]
    outputs = "\n".join(parts)
    return (
        f"the containers did not become healthy; Compose's message: {error or 'none'}\n{outputs}\n"
        "Fix the errors that they report and start again."
    )


def _troubled(containers: Sequence[Container]) -> list[Container]:
    """Return the failed containers; if there are none, those that are not healthy yet."""
    failed_ones = [each for each in containers if _has_failed(each)]
    return failed_ones or [each for each in containers if (each.state, each.health) == STARTING]


def _has_failed(each: Container) -> bool:
    ended = each.state in ("exited", "dead") and each.exit_code != 0
    return ended or each.health == "unhealthy"


def _state_of(each: Container) -> str:
    if each.oom_killed:
        return f"{each.instance} was killed because it exceeded its memory limit; its last output:"
    if each.state in ("exited", "dead"):
        return f"{each.instance} ended with exit code {each.exit_code}; its last output:"
    return f"{each.instance} is {each.health or each.state}; its last output:"
