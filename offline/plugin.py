"""Installs Docker's Compose plugin if it is missing: built from pinned source, in the user's plugin folder."""

import asyncio
import os
import re
from pathlib import Path

from aguante.clients.docker_cli import Docker, DockerError
from aguante.runtimes.compose.compose_runtime import COMPOSE_MIN
from aguante.runtimes.servers import ServerSpec, find_server
from offline.engine import Say

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
    """Install Compose for this user, unless a version that is new enough exists.

    Raises:
        TestbedError: it is missing and cannot be built, or Docker does not accept it.
    """
    docker = docker or Docker()
    found = await version_of(docker)
    if found >= COMPOSE_MIN:
        say(f"Compose {'.'.join(map(str, found))} is installed")
        return
    binary = await asyncio.to_thread(find_server, COMPOSE)
    plugin = plugins(home) / "docker-compose"
    plugin.parent.mkdir(parents=True, exist_ok=True)
    plugin.unlink(missing_ok=True)
    plugin.symlink_to(binary)
    if await version_of(docker) < COMPOSE_MIN:
        message = f"Docker does not accept {plugin} as a plugin: see the output of `docker compose version`"
        raise DockerError(message)
    say(f"Compose {COMPOSE.version}: {plugin}")


async def version_of(docker: Docker) -> tuple[int, ...]:
    """Return the version of Docker's plugin; empty: there is none."""
    result = await docker.call("compose", "version", "--short")
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", result.out.strip()) if result.code == 0 else None
    return tuple(int(part) for part in match.groups()) if match else ()


def plugins(home: Path | None = None) -> Path:
    """Return the folder of this user's Docker plugins."""
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else (home or Path.home()) / ".docker") / "cli-plugins"
