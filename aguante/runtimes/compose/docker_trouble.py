"""Why a Compose project did not come up: the cause and its fix, or the last words of who is not well."""

from collections.abc import Sequence

from aguante.clients.docker_causes import known_cause, last_line
from aguante.clients.docker_cli import CommandResult, Container, Docker, failed
from aguante.clients.docker_project import last_words

TROUBLED_MAX = 2
"""Containers whose last words a message repeats."""
STARTING = ("running", "starting")
"""State and health of a container that is not healthy yet."""


async def why_not_up(docker: Docker, project: str, answer: CommandResult) -> str:
    """A cause that Compose names; else what the containers said last that are not well, and what Compose said.

    Args:
        docker: to ask.
        project: what `docker compose up` was to bring up, as it is now.
        answer: how it ended.

    Raises:
        DockerError: Docker does not answer.
    """
    error = last_line(answer.err)
    troubled = _troubled(await docker.containers(project))[:TROUBLED_MAX]
    if known_cause(error) or not troubled:
        return str(failed(("compose", "up"), answer))
    parts = [f"{_state_of(each)}\n{await last_words(docker, each)}" for each in troubled]
    told = "\n".join(parts)
    return (
        f"the containers did not get healthy; Compose said: {error or 'nothing'}\n{told}\n"
        "Fix what they complain about and start again."
    )


def _troubled(containers: Sequence[Container]) -> list[Container]:
    """Those that ended or are ill; only where there is none, those that took too long to get healthy."""
    ill = [each for each in containers if _is_ill(each)]
    return ill or [each for each in containers if (each.state, each.health) == STARTING]


def _is_ill(each: Container) -> bool:
    ended = each.state in ("exited", "dead") and each.exit_code != 0
    return ended or each.health == "unhealthy"


def _state_of(each: Container) -> str:
    if each.oom_killed:
        return f"{each.instance} was killed, since it took more memory than it may; its last lines:"
    if each.state in ("exited", "dead"):
        return f"{each.instance} ended with exit code {each.exit_code}; its last lines:"
    return f"{each.instance} is {each.health or each.state}; its last lines:"
