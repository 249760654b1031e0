"""Containers of one service as they must be: there, running, not paused, healthy. Restored by Docker and Compose."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aguante.clients.docker_cli import CommandResult, Container, Docker, DockerError, failed
from aguante.clients.docker_project import STOP_GRACE_S
from aguante.drivers.driver import FaultError
from aguante.faults.pumba.pumba_fault import PumbaUndo

COMPOSE_LIMIT_S = 60.0
POLL_S = 0.1
LIVES = ("running", "restarting")


@dataclass(frozen=True)
class Containers:
    """Looks at containers and restores them.

    Args:
        docker: calls the daemon that has them; with the environment that the compose file interpolates.
    """

    docker: Docker

    async def of(self, project: str, service: str = "") -> tuple[Container, ...]:
        """The containers of a service, or of the whole project; by service and number.

        Raises:
            FaultError: Docker does not answer.
        """
        try:
            return await self.docker.containers(project, service)
        except DockerError as why:
            raise FaultError(str(why)) from why

    async def named(self, names: Sequence[str]) -> dict[str, Container]:
        """Those of these containers that are there, by name.

        Raises:
            FaultError: Docker does not answer.
        """
        try:
            return {each.name: each for each in await self.docker.inspect(names)}
        except DockerError as why:
            raise FaultError(str(why)) from why

    async def restore(self, undo: PumbaUndo) -> None:
        """Make missing ones anew, start those that have ended, let paused ones go on.

        Raises:
            FaultError: Docker or Compose does not obey.
        """
        await self._outlast_the_signal(undo)
        there = await self.named(undo.containers)
        if len(there) < len(undo.containers):
            await self._make_anew(undo)
        words = {"paused": "unpause", **dict.fromkeys(LIVES, "")}
        work = [(words.get(each.state, "start"), each.name) for each in there.values()]
        await asyncio.gather(*(self._do(word, name) for word, name in work if word))

    async def _outlast_the_signal(self, undo: PumbaUndo) -> None:
        """One that was told to end, and has not yet, must not be taken for one that is well."""
        deadline = time.monotonic() + undo.dies_within_s
        while time.monotonic() < deadline:
            there = await self.named(undo.containers)
            if not any(_as_it_was(undo, each) for each in there.values()):
                return
            await asyncio.sleep(POLL_S)

    async def restart(self, undo: PumbaUndo) -> None:
        """Restart them: nothing that a program did inside outlasts that.

        Raises:
            FaultError: Docker does not obey.
        """
        there = await self.named(undo.containers)
        grace = f"--time={STOP_GRACE_S}"
        await asyncio.gather(*(self._do("restart", grace, name) for name in there))

    async def run_in(self, undo: PumbaUndo) -> None:
        """Run the undo command in each that runs, as root.

        Raises:
            FaultError: it fails.
        """
        for each in (await self.named(undo.containers)).values():
            if each.state == "running":
                await self._do("exec", "--user", "root", each.name, *undo.undo_command)

    async def well(self, undo: PumbaUndo) -> str:
        """Why one of them is not well, as ``NAME is paused``; empty: all are.

        Raises:
            FaultError: Docker does not answer.
        """
        there = await self.named(undo.containers)
        for name in undo.containers:
            each = there.get(name)
            if each is None:
                return f"{name} is gone"
            if each.state != "running":
                return f"{name} is {each.state}"
            if each.health not in ("", "healthy"):
                return f"{name} is {each.health}"
        return ""

    async def hash_to_make_anew(self, project: str, containers: Sequence[Container]) -> str:
        """Compose's own hash of one service's containers, when it would make the very same again.

        Raises:
            FaultError: it would not; says why, and how to fix it.
        """
        now = ""
        for each in containers:
            labels = await self._labels(each.name)
            now = await self._hash_now(project, each.service, labels)
            if now != labels.get("com.docker.compose.config-hash"):
                message = (
                    f"{each.name} could not be made again as it is: {_file_of(labels)} and the environment give "
                    "another one now; start the testbed with the environment of this command, or use kill"
                )
                raise FaultError(message)
        return now

    async def _make_anew(self, undo: PumbaUndo) -> None:
        """The missing ones alone, by a container of the project that is still there."""
        others = await self.of(undo.project)
        if not others:
            return  # the whole testbed has been ended: nothing is left to restore
        labels = await self._labels(others[0].name)
        await self._must_be_the_same(undo, labels)
        scale = f"{undo.service}={len(undo.containers)}"
        up = ("up", "--detach", "--no-deps", "--no-recreate", "--no-build", "--scale", scale)
        answer = await self._compose(undo.project, labels, *up, undo.service)
        if answer.code:
            raise FaultError(str(failed(("compose", *up, undo.service), answer)))

    async def _must_be_the_same(self, undo: PumbaUndo, labels: dict[str, str]) -> None:
        """Whoever undoes it may have another environment than who removed it, or the file was changed."""
        if not undo.config_hash:
            return
        if await self._hash_now(undo.project, undo.service, labels) != undo.config_hash:
            message = (
                f"{undo.service} would not be made again as it was: {_file_of(labels)} and the environment give "
                "another one now; undo it with the file and the environment that the testbed was started with "
                "(`aguante recover` tries again)"
            )
            raise FaultError(message)

    async def _hash_now(self, project: str, service: str, labels: dict[str, str]) -> str:
        answer = await self._compose(project, labels, "config", "--hash", service)
        if answer.code:
            message = f"{service} could not be made again: {failed(('compose', 'config'), answer)}"
            raise FaultError(message)
        return answer.out.split()[-1] if answer.out.split() else ""

    async def _compose(self, project: str, labels: dict[str, str], *words: str) -> CommandResult:
        files = [word for file in _file_of(labels).split(",") for word in ("--file", file)]
        folder = labels.get("com.docker.compose.project.working_dir", ".")
        where = ("--project-name", project, "--project-directory", folder, *files)
        environment = labels.get("com.docker.compose.project.environment_file", "")
        extra = ("--env-file", environment) if environment else ()
        try:
            return await self.docker.call(
                "compose", *where, *extra, *words, limit_s=COMPOSE_LIMIT_S
            )
        except DockerError as why:
            raise FaultError(str(why)) from why

    async def _labels(self, name: str) -> dict[str, str]:
        told = await self._do("container", "inspect", "--format", "{{json .Config.Labels}}", name)
        found = json.loads(told)
        return found if isinstance(found, dict) else {}

    async def _do(self, *words: str) -> str:
        try:
            return await self.docker.run(*words)
        except DockerError as why:
            raise FaultError(str(why)) from why


def _as_it_was(undo: PumbaUndo, container: Container) -> bool:
    """Whether it runs, and has not been started since the fault was prepared."""
    return container.started_at in undo.started and container.state in LIVES


def _file_of(labels: dict[str, str]) -> str:
    return labels.get("com.docker.compose.project.config_files", "docker-compose.yml")
