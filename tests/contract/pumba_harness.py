"""Environments for the Pumba driver: a stand-in for Docker and Pumba, and the real ones if they are installed."""

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from aguante.clients.docker_cli import Docker
from aguante.drivers.pumba.pumba_driver import PumbaDriver
from aguante.drivers.pumba.pumba_helpers import NETEM_PROBE, NOT_FOUND
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.pumba.pumba_commands import COMMANDS
from aguante.faults.pumba.pumba_fault import PumbaFault
from aguante.testbed.testbed_spec import PumbaSpec

SERVICES = {"payments": 2, "inventory": 1, "hidden": 1}
"""``hidden`` has the label that makes Pumba ignore a container."""
BESIDE = "payments-beside"
"""Started by `docker compose run payments`: it has the labels of payments but is no part of the service."""
IMAGE = os.environ.get("AGUANTE_TARGET_IMAGE", "python:3.11-slim-bookworm")
UP_LIMIT_S = 120

COMPOSE = """
x-target: &target
  image: {image}
  init: true
  restart: "no"
  cap_drop: [ALL]
  networks: [only]
  command: [python, -m, http.server, "8000"]
  healthcheck:
    test: [CMD, python, -c, "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/', timeout=1)"]
    interval: 0.5s
    timeout: 3s
    retries: 20
services:
  payments: {{<<: *target, scale: 2}}
  inventory: *target
  hidden: {{<<: *target, labels: {{com.gaiaadm.pumba.skip: "true"}}}}
networks: {{only: {{}}}}
"""


def fault(
    command: str, service: str = "payments", instance: str = "", **given: object
) -> PlannedFault:
    options = COMMANDS[command].complete(given)
    pumba = PumbaFault(service=service, command=command, instance=instance, options=options)
    return PlannedFault(id="hit", fault=pumba, start_s=1, end_s=31)


@dataclass
class World:
    """Containers of one Compose project, all running and healthy."""

    project: str
    docker: Docker
    settings: PumbaSpec

    def driver(self, ready_limit_s: float = 30.0) -> PumbaDriver:
        return PumbaDriver(
            self.docker, self.project, "run", self.settings, ready_limit_s=ready_limit_s
        )

    async def states(self) -> dict[str, str]:
        """Instance -> state, of every service but the hidden one."""
        found = await self.docker.containers(self.project)
        return {each.instance: each.state for each in found if each.service != "hidden"}

    async def started(self) -> dict[str, str]:
        found = await self.docker.containers(self.project)
        return {each.instance: each.started_at for each in found}

    def fix(self) -> None:
        """Restore everything after a failed test."""

    def name(self, instance: str) -> str:
        return f"{self.project}-{instance}"

    async def rules(self, instance: str) -> str:
        """The rules that drop packets by chance in a container."""
        words = ("--entrypoint", "iptables", self.settings.iptables_image, "-vnxL", "INPUT")
        where = ("run", "--rm", "--network", f"container:{self.name(instance)}")
        told = await self.docker.run(*where, "--cap-add", "NET_ADMIN", *words)
        return "\n".join(line for line in told.splitlines() if "statistic" in line)


class StandIn(World):
    """A file instead of a daemon; ``tests/contract/pumba_standin.py`` defines its behaviour."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state.json"
        for name in ("docker", "pumba"):
            python = f"#!{sys.executable} -IS\nimport sys\n"
            where = f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
            words = f"sys.argv[1:1] = [{name!r}, {str(self.state)!r}]\n"
            start = "import pumba_standin\npumba_standin.main()\n"
            (folder / name).write_text(f"{python}{where}{words}{start}")
            (folder / name).chmod(0o755)
        beside = self._container("payments", 1)
        beside["labels"]["com.docker.compose.oneoff"] = "True"
        self.write(
            containers={
                f"shop-{BESIDE}": {**beside, "id": "beside"},
                **{
                    f"shop-{service}-{n + 1}": self._container(service, n + 1)
                    for service, count in SERVICES.items()
                    for n in range(count)
                },
            },
            helpers={},
            images=["tools:1"],
            netem=False,
            busy=0,
            hash="0a1b",
            calls=[],
        )
        settings = PumbaSpec(
            program=str(folder / "pumba"),
            tc_image="tools:1",
            iptables_image="tools:1",
            stress_image="tools:1",
        )
        super().__init__("shop", Docker(str(folder / "docker")), settings)

    def _container(self, service: str, number: int) -> dict[str, object]:
        labels = {
            "com.docker.compose.project": "shop",
            "com.docker.compose.service": service,
            "com.docker.compose.container-number": str(number),
            "com.docker.compose.oneoff": "False",
            "com.docker.compose.config-hash": "0a1b",
            "com.docker.compose.project.config_files": "/shop/docker-compose.yml",
            "com.docker.compose.project.working_dir": "/shop",
        }
        hidden = {"com.gaiaadm.pumba.skip": "true"} if service == "hidden" else {}
        return {
            "id": f"{service}{number}",
            "state": "running",
            "health": "healthy",
            "looks": 0,
            "started": "2026-11-24T08:00:00.1Z",
            "labels": {**labels, **hidden},
            "rules": [],
            "netem": False,
            "network": "only",
            "command": "python -m http.server",
        }

    def read(self) -> dict[str, object]:
        found = json.loads(self.state.read_text())
        assert isinstance(found, dict)
        return found

    def write(self, **changed: object) -> None:
        before = self.read() if self.state.exists() else {}
        self.state.write_text(json.dumps({**before, **changed}))

    def calls(self, program: str) -> list[list[str]]:
        """The arguments of every call so far."""
        calls = self.read()["calls"]
        assert isinstance(calls, list)
        return [call[1:] for call in calls if call[0] == program]


class Real(World):
    """A small Compose project, made for the tests and removed afterwards."""

    @classmethod
    def make(cls, folder: Path) -> "Real":
        settings = PumbaSpec().with_overrides_from(os.environ)
        if not shutil.which(settings.program):
            pytest.skip("no Pumba: put it on PATH, or name it by AGUANTE_PUMBA")
        if not shutil.which("docker") or _docker("version").returncode:
            pytest.skip("no Docker that answers")
        for image in (IMAGE, settings.tc_image, settings.iptables_image, settings.stress_image):
            if _docker("image", "inspect", image).returncode:
                pytest.skip(f"the image {image} is not here")
        (folder / "docker-compose.yml").write_text(COMPOSE.format(image=IMAGE))
        made = cls(f"aguante-contract-{secrets.token_hex(3)}", Docker(), settings)
        try:
            made._compose(folder, "up", "--detach", "--wait", f"--wait-timeout={UP_LIMIT_S}")
            beside = made.name(BESIDE)
            made._compose(folder, "run", "--detach", "--name", beside, "payments", "sleep", "3600")
        except BaseException:
            made.end(folder)
            raise
        return made

    def fix(self) -> None:
        for service, count in SERVICES.items():
            names = [self.name(f"{service}-{n + 1}") for n in range(count)]
            _docker("unpause", *names)
            _docker("start", *names)

    def has_netem(self) -> bool:
        """Whether this kernel has it, tried in a temporary network."""
        words = ("--cap-add", "NET_ADMIN", "--entrypoint", "tc", self.settings.tc_image)
        tried = _docker("run", "--rm", "--network", "none", *words, *NETEM_PROBE)
        assert tried.returncode not in NOT_FOUND, tried.stderr
        return not tried.returncode

    def end(self, folder: Path) -> None:
        self._compose(folder, "down", "--volumes", "--remove-orphans", "--timeout=0")
        only = f"label=com.docker.compose.project={self.project}"
        for look in (("ps", "--all"), ("network", "ls"), ("volume", "ls")):
            assert _docker(*look, "--quiet", "--filter", only).stdout == ""

    def _compose(self, folder: Path, *words: str) -> None:
        done = _docker("compose", "--project-directory", str(folder), "-p", self.project, *words)
        assert done.returncode == 0, done.stderr


def _docker(*words: str) -> "subprocess.CompletedProcess[str]":
    docker = shutil.which("docker") or "docker"
    return subprocess.run(
        (docker, *words), capture_output=True, text=True, timeout=UP_LIMIT_S + 20, check=False
    )


async def until(states: dict[str, str], world: World, limit_s: float = 15.0) -> None:
    """Wait until these instances have these states."""
    async with asyncio.timeout(limit_s):
        while not states.items() <= (await world.states()).items():  # noqa: ASYNC110 - Docker sends no event
            await asyncio.sleep(0.05)
