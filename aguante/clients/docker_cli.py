"""The docker command line, called with a limit: what it said, or one error with the cause and how to fix it.

The command line and not the socket: it alone knows contexts, ``DOCKER_HOST`` and Compose. Containers are
found by the labels that Compose puts on them, never by a pattern of names.
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

from aguante.clients.docker_causes import FREEZE_TRIES, NOT_FROZEN, cause_of, said
from aguante.core.values import Value
from aguante.testbed.runtime import TestbedError

LIMIT_S = 20.0
"""Of a call that only asks, or that acts on one container."""
PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
NUMBER_LABEL = "com.docker.compose.container-number"
NOT_BESIDE = "com.docker.compose.oneoff=False"
"""What `docker compose run payments sh` starts is labelled as a container of payments, and serves nobody."""


class DockerError(TestbedError):
    """Docker cannot do what was asked. The message says what, why, and how to fix it; exit code 4."""


@dataclass(frozen=True)
class CommandResult:
    """How one call ended."""

    code: int
    out: str
    err: str


class Container(Value):
    """One container of a Compose project, as ``docker inspect`` tells it."""

    id: str
    name: str
    """Without the slash: what Docker and Pumba take as its exact name."""
    service: str
    number: int
    """From 1, of the replicas of its service."""
    state: str
    """``created``, ``running``, ``paused``, ``restarting``, ``removing``, ``exited`` or ``dead``."""
    health: str
    """``starting``, ``healthy``, ``unhealthy``; empty without a health check."""
    exit_code: int
    oom_killed: bool
    pid: int
    """Of its main process, as the machine that Docker runs on counts; 0: it does not run."""
    started_at: str
    """As Docker writes it: another one after each start."""
    image: str
    ports: Mapping[str, int]
    """``5001/tcp`` -> the port on this machine, of those that are published."""
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
        environment: added to this process's own, e.g. what a compose file interpolates.
    """

    program: str = "docker"
    environment: Mapping[str, str] = field(default_factory=dict)

    async def call(self, *args: str, limit_s: float = LIMIT_S) -> CommandResult:
        """Run ``docker <args>`` to its end, whatever its exit code.

        Raises:
            DockerError: there is no such program, or it did not end in time (it is killed then).
        """
        process = await self._spawn(args, asyncio.subprocess.PIPE)
        try:
            async with asyncio.timeout(limit_s):
                out, err = await process.communicate()
        except TimeoutError as late:
            raise DockerError(_late(args, limit_s)) from late
        finally:
            await _end(process)
        return CommandResult(process.returncode or 0, out.decode("utf-8", "replace"), _text(err))

    async def run(self, *args: str, limit_s: float = LIMIT_S) -> str:
        """What ``docker <args>`` printed, when it succeeded.

        Raises:
            DockerError: it failed, is not there, or did not end in time.
        """
        answer = await self.call(*args, limit_s=limit_s)
        if answer.code:
            raise failed(args, answer)
        return answer.out

    async def pause(self, name: str) -> None:
        """Freeze a container, again where it could not be frozen just then.

        Raises:
            DockerError: there is none, it does not run, or none of FREEZE_TRIES froze it.
        """
        for left in reversed(range(FREEZE_TRIES)):
            answer = await self.call("pause", name)
            if not answer.code:
                return
            if not left or NOT_FROZEN not in answer.err:
                raise failed(("pause", name), answer)

    async def run_to_file(self, path: Path, *args: str, limit_s: float = LIMIT_S) -> None:
        """Write what ``docker <args>`` prints, both streams, to a file: output of any length.

        Raises:
            DockerError: as for ``run``; an exit code other than 0 is passed over, the file says why.
            OSError: the file cannot be written.
        """
        with path.open("wb") as file:
            process = await self._spawn(args, file)
            try:
                async with asyncio.timeout(limit_s):
                    await process.wait()
            except TimeoutError as late:
                raise DockerError(_late(args, limit_s)) from late
            finally:
                await _end(process)

    @contextlib.asynccontextmanager
    async def background(self, *args: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """A call that lasts, such as ``docker wait``: it is ended with the body. Nothing it prints is read.

        Raises:
            DockerError: there is no such program.
        """
        process = await self._spawn(args, asyncio.subprocess.DEVNULL)
        try:
            yield process
        finally:
            await _end(process)

    async def containers(self, project: str, service: str = "") -> tuple[Container, ...]:
        """The containers of a Compose project, running or not, by service and number; none of `docker compose run`.

        Args:
            project: its name.
            service: of this service alone; empty: of all.

        Raises:
            DockerError: Docker does not answer.
        """
        wanted = [f"{PROJECT_LABEL}={project}", NOT_BESIDE]
        wanted += [f"{SERVICE_LABEL}={service}"] if service else []
        filters = [part for label in wanted for part in ("--filter", f"label={label}")]
        ids = (await self.run("ps", "--all", "--quiet", "--no-trunc", *filters)).split()
        return await self.inspect(ids)

    async def inspect(self, ids: Sequence[str]) -> tuple[Container, ...]:
        """Those of these containers that are there, by service and number.

        Raises:
            DockerError: Docker does not answer.
        """
        if not ids:
            return ()
        answer = await self.call("container", "inspect", *ids)
        # One that was removed meanwhile makes the code 1; the others are told all the same.
        if answer.code and not answer.out.strip().startswith("["):
            raise failed(("container", "inspect"), answer)
        found = [_container(each) for each in json.loads(answer.out)]
        return tuple(sorted(found, key=lambda each: (each.service, each.number)))

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
                start_new_session=True,  # Ctrl-C is the runner's to handle
            )
        except OSError as why:
            message = (
                f"docker cannot be run ({why}): install Docker Engine with the Compose plugin, or play "
                "without containers (leave out --runtime; native needs none)"
            )
            raise DockerError(message) from why


def failed(args: Sequence[str], answer: CommandResult) -> DockerError:
    """The error that says what failed, why, and how to fix it."""
    found = cause_of(answer.err or answer.out)
    return DockerError(f"`{_told(args)}` failed: {found}")


def _late(args: Sequence[str], limit_s: float) -> str:
    return (
        f"`{_told(args)}` did not end within {limit_s:g} s; see whether `docker ps` answers, and restart "
        "the Docker daemon when it does not"
    )


def _told(args: Sequence[str]) -> str:
    """The call without its options' tail: a message names what was done, not forty ids."""
    words = ("docker", *args)
    return " ".join(words[:8]) + (" ..." if len(words) > 8 else "")


def _text(data: bytes) -> str:
    return said(data.decode("utf-8", "replace"))


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill a call that still runs, with whatever it started."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())


def _container(raw: dict[str, object]) -> Container:
    """The few fields that are used, out of one object of ``docker inspect``."""
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
