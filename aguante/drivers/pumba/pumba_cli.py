"""Finds Pumba as a program or an image, starts it, and finds what a dead run left of it."""

import asyncio
import os
import shutil
from collections.abc import Iterator, Sequence

import psutil

from aguante.clients.docker_cli import Docker, DockerError
from aguante.drivers.driver import FaultError, as_fault_error
from aguante.drivers.pumba.pumba_run import LINE_BYTES_MAX, PumbaRun

TOKEN_VARIABLE = "AGUANTE_FAULT"  # noqa: S105 - it marks processes, and is no secret
TOKEN_LABEL = "aguante.fault"  # noqa: S105 - it marks containers
PUMBA_LABEL = "com.gaiaadm.pumba=true"
"""By which Pumba recognises its own container and ignores it."""
SOCKET = "/var/run/docker.sock"
PULL_LIMIT_S = 120.0
VERSION_LIMIT_S = 20.0


class PumbaCli:
    """Starts Pumba.

    Args:
        docker: calls the daemon that runs the containers.
        program: a path, or a name on PATH.
        image: is run if there is no such program.
    """

    def __init__(self, docker: Docker, program: str, image: str) -> None:
        self._docker = docker
        self._image = image
        self._found = shutil.which(program)
        """Path of the program; None: it runs as a container."""
        self._host = ""
        """Address of the daemon; read once, since each call delays a fault."""

    async def version(self) -> str:
        """Its version, which also shows that it can be started.

        Raises:
            FaultError: it is not installed and its image cannot be pulled; names the ways to provide it.
        """
        if self._found is None:
            await have_image(self._docker, self._image, f"Pumba is missing: {self._ways()}")
        process = await self._spawn(["--version"], "", asyncio.subprocess.PIPE)
        try:
            async with asyncio.timeout(VERSION_LIMIT_S):
                out, err = await process.communicate()
        except TimeoutError as late:
            process.kill()
            await process.wait()
            message = (
                f"Pumba did not print its version within {VERSION_LIMIT_S:g} s: {self._ways()}"
            )
            raise FaultError(message) from late
        said = (out or err).decode("utf-8", "replace").strip()
        if process.returncode or not said:
            message = f"Pumba cannot be run ({said[-300:] or 'it printed nothing'}): {self._ways()}"
            raise FaultError(message)
        return said.splitlines()[0].partition(" - ")[0]

    def _ways(self) -> str:
        return (
            f"put pumba 1.1 on PATH, name it by AGUANTE_PUMBA, or give Docker its image {self._image} "
            "(docker pull); it is at github.com/alexei-led/pumba"
        )

    async def start(self, arguments: Sequence[str], token: str) -> PumbaRun:
        """Start it with these arguments, marked with ``token``.

        Raises:
            FaultError: it cannot be started.
        """
        process = await self._spawn(arguments, token, asyncio.subprocess.DEVNULL)
        return PumbaRun(process, None if self._found else lambda: self.remove_containers(token))

    async def _spawn(
        self, arguments: Sequence[str], token: str, stdout: int
    ) -> asyncio.subprocess.Process:
        try:
            command = [*await self._command(token), *arguments]
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, **self._docker.environment, TOKEN_VARIABLE: token},
                start_new_session=True,  # it outlives this process, and cleans up when its time is over
                limit=LINE_BYTES_MAX,
            )
        except (OSError, DockerError) as why:
            message = f"Pumba cannot be started ({why}): {self._ways()}"
            raise FaultError(message) from why

    async def _command(self, token: str) -> list[str]:
        """The program, or the image with the socket of the daemon that ``docker`` calls."""
        asked = ("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
        host = self._host = self._host or (await self._docker.run(*asked)).strip()
        if self._found:
            return [self._found, f"--host={host}"]
        if not host.startswith("unix://"):
            message = f"as a container Pumba needs Docker's socket, and Docker is at {host}: {self._ways()}"
            raise FaultError(message)
        labels = ("--label", PUMBA_LABEL, "--label", f"{TOKEN_LABEL}={token}")
        mount = f"{host.removeprefix('unix://')}:{SOCKET}"
        run = ("run", "--rm", "--pull=never", *labels, "--volume", mount, self._image)
        return [self._docker.program, *run, f"--host=unix://{SOCKET}"]

    async def remove_containers(self, token: str) -> None:
        """Remove the containers that were started for ``token``: Pumba's own, and helpers.

        Raises:
            DockerError: Docker fails.
        """
        await remove(self._docker, f"label={TOKEN_LABEL}={token}")

    async def end_orphans(self, token: str, within_s: float, stop_limit_s: float) -> None:
        """End every Pumba that a dead run started for ``token``.

        Args:
            token: of the fault.
            within_s: how long to wait until it ends by itself; 0: it is stopped, and cleans up.
            stop_limit_s: how long it may take to clean up before it is killed.
        """
        orphans = list(_orphans(token))
        if within_s:
            _, orphans = await asyncio.to_thread(psutil.wait_procs, orphans, within_s)
        for each in orphans:
            each.terminate()
        _, stubborn = await asyncio.to_thread(psutil.wait_procs, orphans, stop_limit_s)
        for each in stubborn:
            each.kill()
        await self.remove_containers(token)


def _orphans(token: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.environ().get(TOKEN_VARIABLE) == token:
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue  # not a process that a run could have started


async def have_image(docker: Docker, image: str, otherwise: str) -> None:
    """Pull an image unless it is here, so that no fault has to wait for a pull.

    Raises:
        FaultError: it cannot be pulled; starts with ``otherwise``.
    """
    with as_fault_error(otherwise, DockerError):
        if (await docker.call("image", "inspect", "--format", "{{.Id}}", image)).code:
            await docker.run("pull", "--quiet", image, limit_s=PULL_LIMIT_S)


async def remove(docker: Docker, *filters: str) -> None:
    """Remove every container, running or not, that matches all of these filters; at least one is required.

    Raises:
        DockerError: Docker fails.
    """
    chosen = [word for each in filters for word in ("--filter", each)]
    ids = (await docker.run("ps", "--all", "--quiet", "--no-trunc", *chosen)).split()
    if filters and ids:
        await docker.call("rm", "--force", *ids)
