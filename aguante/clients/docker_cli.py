"""Calls the docker command line with a time limit; a failure becomes one error with its cause and a fix.

We use the command line, not the socket, because only it knows contexts, ``DOCKER_HOST`` and Compose. Containers are
found by Compose's labels, never by a name pattern.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from aguante.clients.docker_causes import FREEZE_TRIES, NOT_FROZEN, cause_of, end_of
from aguante.core.values import Value
from aguante.testbed.runtime import TestbedError

LIMIT_S = 20.0
"""For a query, or an action on one container."""
PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
NUMBER_LABEL = "com.docker.compose.container-number"
NOT_ONE_OFF = "com.docker.compose.oneoff=False"
"""Excludes containers of `docker compose run payments sh`, which have the service's label but handle no requests."""


class DockerError(TestbedError):
    """A Docker command failed. The message says what, why, and how to fix it; exit code 4."""


@dataclass(frozen=True)
class CommandResult:
    """The result of one call."""

    code: int
    out: str
    err: str


class Container(Value):
    """One container of a Compose project, as ``docker inspect`` shows it."""

    id: str
    name: str
    """The exact name, as Docker and Pumba accept it: without the slash."""
    service: str
    number: int
    """Number of the replica, from 1."""
    state: str
    """``created``, ``running``, ``paused``, ``restarting``, ``removing``, ``exited`` or ``dead``."""
    health: str
    """``starting``, ``healthy``, ``unhealthy``; empty without a health check."""
    exit_code: int
    oom_killed: bool
    pid: int
    """Of its main process, on the machine that runs Docker; 0: it does not run."""
    started_at: str
    """Start time in Docker's notation; it changes with each start."""
    image: str
    ports: Mapping[str, int]
    """Published ports: ``5001/tcp`` -> the port on this machine."""
    environment: Mapping[str, str]

    @property
    def instance(self) -> str:
        """``payments-1``."""
        return f"{self.service}-{self.number}"


@dataclass(frozen=True)
class Docker:
    """Calls ``docker``.

    Args:
        program: its name or path.
        environment: variables added to our own, e.g. those of a compose file.
    """

    program: str = "docker"
    environment: Mapping[str, str] = field(default_factory=dict)

    async def call(self, *args: str, limit_s: float = LIMIT_S) -> CommandResult:
        """Run ``docker <args>`` to its end, and return its result whatever the exit code.

        Raises:
            DockerError: there is no such program, or it did not end in time and was killed.
        """
        process, out, err = await self._to_end(args, asyncio.subprocess.PIPE, limit_s)
        return CommandResult(process.returncode or 0, out.decode("utf-8", "replace"), _text(err))

    async def run(self, *args: str, limit_s: float = LIMIT_S) -> str:
        """Return the output of ``docker <args>``, which must succeed.

        Raises:
            DockerError: it failed, does not exist, or did not end in time.
        """
        result = await self.call(*args, limit_s=limit_s)
        if result.code:
            raise failed(args, result)
        return result.out

    async def pause(self, name: str) -> None:
        """Pause a container; repeat the call if the container could not be frozen at that moment.

        Raises:
            DockerError: there is no such container, it does not run, or FREEZE_TRIES attempts failed.
        """
        for left in reversed(range(FREEZE_TRIES)):
            result = await self.call("pause", name)
            if not result.code:
                return
            if not left or NOT_FROZEN not in result.err:
                raise failed(("pause", name), result)

    async def run_to_file(self, path: Path, *args: str, limit_s: float = LIMIT_S) -> None:
        """Write stdout and stderr of ``docker <args>`` to a file; for output of any length.

        Raises:
            DockerError: as for ``run``, except for the exit code, which is ignored: the file shows the reason.
            OSError: the file cannot be written.
        """
        with path.open("wb") as file:
            await self._to_end(args, file, limit_s)

    @contextlib.asynccontextmanager
    async def background(self, *args: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Keep a long call such as ``docker wait`` running during the body, then end it. Its output is discarded.

        Raises:
            DockerError: there is no such program.
        """
        process = await self._spawn(args, asyncio.subprocess.DEVNULL)
        try:
            yield process
        finally:
            await _end(process)

    async def containers(self, project: str, service: str = "") -> tuple[Container, ...]:
        """Return the containers of a Compose project, running or not, sorted by service and number.

        Containers of `docker compose run` are excluded.

        Args:
            project: its name.
            service: only this service; empty: all.

        Raises:
            DockerError: Docker does not respond.
        """
        wanted = [f"{PROJECT_LABEL}={project}", NOT_ONE_OFF]
        wanted += [f"{SERVICE_LABEL}={service}"] if service else []
        filters = [part for label in wanted for part in ("--filter", f"label={label}")]
        ids = (await self.run("ps", "--all", "--quiet", "--no-trunc", *filters)).split()
        return await self.inspect(ids)

    async def projects_with(self, service: str) -> tuple[str, ...]:
        """Return the Compose projects in which this service is running, sorted.

        Raises:
            DockerError: Docker does not respond.
        """
        filters = (
            "--filter",
            f"label={SERVICE_LABEL}={service}",
            "--filter",
            f"label={NOT_ONE_OFF}",
        )
        template = f'{{{{.Label "{PROJECT_LABEL}"}}}}'
        found = await self.run("ps", *filters, "--format", template)
        return tuple(sorted(set(found.split())))

    async def inspect(self, ids: Sequence[str]) -> tuple[Container, ...]:
        """Return those of the containers that exist, sorted by service and number.

        Raises:
            DockerError: Docker does not respond.
        """
        if not ids:
            return ()
        result = await self.call("container", "inspect", *ids)
        # If one was removed in the meantime the exit code is 1, but the others are listed.
        if result.code and not result.out.strip().startswith("["):
            raise failed(("container", "inspect"), result)
        found = [_container(each) for each in json.loads(result.out)]
        return tuple(sorted(found, key=lambda each: (each.service, each.number)))

    async def _to_end(
        self, args: Sequence[str], stdout: int | BinaryIO, limit_s: float
    ) -> tuple[asyncio.subprocess.Process, bytes, bytes]:
        process = await self._spawn(args, stdout)
        try:
            async with asyncio.timeout(limit_s):
                out, err = await process.communicate()
        except TimeoutError as late:
            raise DockerError(_late(args, limit_s)) from late
        finally:
            await _end(process)
        return process, out or b"", err or b""

    async def _spawn(
        self, args: Sequence[str], stdout: int | BinaryIO
    ) -> asyncio.subprocess.Process:
        stderr = asyncio.subprocess.STDOUT
        try:
            return await asyncio.create_subprocess_exec(
                self.program,
                *args,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout,
                stderr=asyncio.subprocess.PIPE if stdout == asyncio.subprocess.PIPE else stderr,
                env={**os.environ, **self.environment},
                start_new_session=True,  # Ctrl-C must reach only the runner
            )
        except OSError as why:
            message = (
                f"docker cannot be run ({why}): install Docker Engine with the Compose plugin, or run "
                "without containers (omit --runtime; the native runtime needs none)"
            )
            raise DockerError(message) from why


def failed(args: Sequence[str], result: CommandResult) -> DockerError:
    """Return an error that says what failed, why, and how to fix it."""
    found = cause_of(result.err or result.out)
    return DockerError(f"`{_shortened(args)}` failed: {found}")


def _late(args: Sequence[str], limit_s: float) -> str:
    return (
        f"`{_shortened(args)}` did not end within {limit_s:g} s; check whether `docker ps` responds, and restart "
        "the Docker daemon if it does not"
    )


def _shortened(args: Sequence[str]) -> str:
    """Return the first words of a call, for messages; it may contain dozens of ids."""
    words = ("docker", *args)
    return " ".join(words[:8]) + (" ..." if len(words) > 8 else "")


def _text(data: bytes) -> str:
    return end_of(data.decode("utf-8", "replace"))


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill a call that still runs, with its children."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())


def _container(raw: dict[str, object]) -> Container:
    """Extract the fields that we use from one object of ``docker inspect``."""
    config, state = _object(raw.get("Config")), _object(raw.get("State"))
    labels = _object(config.get("Labels"))
    health = _object(state.get("Health"))
    number = str(labels.get(NUMBER_LABEL, ""))
    environment = config.get("Env")
    return Container(
        id=str(raw.get("Id", "")),
        name=str(raw.get("Name", "")).lstrip("/"),
        service=str(labels.get(SERVICE_LABEL, "")),
        number=int(number) if number.isdecimal() else 0,
        state=str(state.get("Status", "")),
        health=str(health.get("Status", "")),
        exit_code=int(str(state.get("ExitCode", 0))),
        oom_killed=state.get("OOMKilled") is True,
        pid=int(str(state.get("Pid", 0))),
        started_at=str(state.get("StartedAt", "")),
        image=str(config.get("Image", "")),
        ports=_ports(_object(_object(raw.get("NetworkSettings")).get("Ports"))),
        environment=dict(
            str(each).partition("=")[::2]
            for each in (environment if isinstance(environment, list) else ())
        ),
    )


def _ports(raw: dict[str, object]) -> dict[str, int]:
    published: dict[str, int] = {}
    for inside, bound in raw.items():
        for each in bound if isinstance(bound, list) else ():
            published.setdefault(inside, int(str(_object(each).get("HostPort", 0))))
    return published


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
