"""Restores the containers of one service, with Docker and Compose: present, running, not paused, healthy."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aguante.clients.docker_cli import CommandResult, Container, Docker, failed
from aguante.clients.docker_project import STOP_GRACE_S
from aguante.drivers.driver import FaultError
from aguante.faults.pumba.pumba_fault import PumbaUndo

COMPOSE_LIMIT_S = 60.0
POLL_S = 0.1
LIVES = ("running", "restarting")


@dataclass(frozen=True)
class Containers:
    """Inspects containers and restores them. Every method raises DockerError when Docker or Compose fails.

    Args:
        docker: calls the daemon that runs them, with the environment that the compose file interpolates.
    """

    docker: Docker

    async def named(self, names: Sequence[str]) -> dict[str, Container]:
        """Those of these containers that exist, by name."""
        return {each.name: each for each in await self.docker.inspect(names)}

    async def restore(self, undo: PumbaUndo) -> None:
        """Make missing containers again, start those that have ended, unpause those that are paused.

        Raises:
            FaultError: a missing container would not be made again as it was.
        """
        await self._outlast_the_signal(undo)
        there = await self.named(undo.containers)
        if len(there) < len(undo.containers):
            await self._make_again(undo)
        words = {"paused": "unpause", **dict.fromkeys(LIVES, "")}
        work = [(words.get(each.state, "start"), each.name) for each in there.values()]
        await asyncio.gather(*(self.docker.run(word, name) for word, name in work if word))

    async def _outlast_the_signal(self, undo: PumbaUndo) -> None:
        """Wait for a container that was signalled to end, which would otherwise still count as healthy."""
        deadline = time.monotonic() + undo.dies_within_s
        while time.monotonic() < deadline:
            there = await self.named(undo.containers)
            if not any(_as_it_was(undo, each) for each in there.values()):
                return
            await asyncio.sleep(POLL_S)

    async def restart(self, undo: PumbaUndo) -> None:
        """Restart them, which ends whatever a program started inside."""
        there = await self.named(undo.containers)
        grace = f"--time={STOP_GRACE_S}"
        await asyncio.gather(*(self.docker.run("restart", grace, name) for name in there))

    async def run_in(self, undo: PumbaUndo) -> None:
        """Run the undo command, as root, in each container that runs."""
        for each in (await self.named(undo.containers)).values():
            if each.state == "running":
                await self.docker.run("exec", "--user", "root", each.name, *undo.undo_command)

    async def unwell(self, undo: PumbaUndo) -> str:
        """The first container that is not running and healthy, as ``NAME is paused``; empty: there is none."""
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

    async def hash_to_make_again(self, project: str, containers: Sequence[Container]) -> str:
        """Compose's hash of the configuration of one service's containers.

        Raises:
            FaultError: Compose would now make them with another configuration; says how to fix it.
        """
        now = ""
        for each in containers:
            labels = await self._labels(each.name)
            now = await self._hash_now(project, each.service, labels)
            if now != labels.get("com.docker.compose.config-hash"):
                message = (
                    f"{each.name} could not be made again as it is: {_file_of(labels)} and the environment now "
                    "describe another container; start the testbed with the environment of this command, or use kill"
                )
                raise FaultError(message)
        return now

    async def _make_again(self, undo: PumbaUndo) -> None:
        """Only the missing ones. The labels of any other container of the project say how to call Compose."""
        others = await self.docker.containers(undo.project)
        if not others:
            return  # the whole testbed has ended, and nothing is left to restore
        labels = await self._labels(others[0].name)
        await self._must_be_the_same(undo, labels)
        scale = f"{undo.service}={len(undo.containers)}"
        up = ("up", "--detach", "--no-deps", "--no-recreate", "--no-build", "--scale", scale)
        answer = await self._compose(undo.project, labels, *up, undo.service)
        if answer.code:
            raise failed(("compose", *up, undo.service), answer)

    async def _must_be_the_same(self, undo: PumbaUndo, labels: dict[str, str]) -> None:
        """The undo may run in another environment than the fault, or the file may have changed since."""
        if not undo.config_hash:
            return
        if await self._hash_now(undo.project, undo.service, labels) != undo.config_hash:
            message = (
                f"{undo.service} would not be made again as it was: {_file_of(labels)} and the environment now "
                "describe another container; undo it with the file and the environment that the testbed was "
                "started with (`aguante recover` tries again)"
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
        return await self.docker.call("compose", *where, *extra, *words, limit_s=COMPOSE_LIMIT_S)

    async def _labels(self, name: str) -> dict[str, str]:
        words = ("container", "inspect", "--format", "{{json .Config.Labels}}", name)
        found = json.loads(await self.docker.run(*words))
        return found if isinstance(found, dict) else {}


def _as_it_was(undo: PumbaUndo, container: Container) -> bool:
    """Whether it runs, and has not been started since the fault was prepared."""
    return container.started_at in undo.started and container.state in LIVES


def _file_of(labels: dict[str, str]) -> str:
    return labels.get("com.docker.compose.project.config_files", "docker-compose.yml")
