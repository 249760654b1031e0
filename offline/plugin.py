"""Docker's Compose plugin, version 2, where there is none: built from its pinned source and put where Docker looks."""

import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path

from aguante.clients.docker_cli import Docker, DockerError
from aguante.runtimes.compose.compose_runtime import COMPOSE_MIN
from aguante.runtimes.servers import ServerSpec, find_server

Say = Callable[[str], None]

COMPOSE = ServerSpec(
    name="compose",
    binary="docker-compose",
    version="2.40.3",
    package="github.com/docker/compose/v2/cmd",
    version_symbol="github.com/docker/compose/v2/internal.Version",
    home="https://docs.docker.com/compose/install",
    version_arguments=("version",),
    build_s=150,
)


async def install_compose(say: Say, docker: Docker | None = None, home: Path | None = None) -> None:
    """Do nothing where a Compose that is new enough answers; else provide one for this user.

    Raises:
        TestbedError: it is missing and cannot be built, or Docker does not accept it.
    """
    docker = docker or Docker()
    found = await version_of(docker)
    if found >= COMPOSE_MIN:
        say(f"Compose {'.'.join(map(str, found))} is here")
        return
    binary = await asyncio.to_thread(find_server, COMPOSE)
    plugin = plugins(home) / "docker-compose"
    plugin.parent.mkdir(parents=True, exist_ok=True)
    plugin.unlink(missing_ok=True)
    plugin.symlink_to(binary)
    if await version_of(docker) < COMPOSE_MIN:
        message = (
            f"Docker does not take {plugin} for a plugin: see what `docker compose version` says"
        )
        raise DockerError(message)
    say(f"Compose {COMPOSE.version}: {plugin}")


async def version_of(docker: Docker) -> tuple[int, ...]:
    """Of the plugin that Docker has; empty when there is none."""
    result = await docker.call("compose", "version", "--short")
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", result.out.strip()) if result.code == 0 else None
    return tuple(int(part) for part in match.groups()) if match else ()


def plugins(home: Path | None = None) -> Path:
    """Where Docker looks for this user's plugins."""
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else (home or Path.home()) / ".docker") / "cli-plugins"
