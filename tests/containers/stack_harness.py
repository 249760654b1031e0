"""A running stack, used only through the command line."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
UP_LIMIT_S = 180.0
CALL_LIMIT_S = 60.0
SERVICES = {
    "gateway": 5000,
    "reservations": 5001,
    "inventory": 5002,
    "payments": 5003,
    "notifications": 5004,
}
COMPOSE: dict[str, Any] = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text())


@dataclass(eq=False)
class Stack:
    """One Compose project of the repository's compose file."""

    project: str
    with_grafana: bool = False

    def docker(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run docker with every published port free for the kernel to choose."""
        done = subprocess.run(
            [shutil.which("docker") or "docker", *args],
            check=False,
            capture_output=True,
            text=True,
            timeout=UP_LIMIT_S if "up" in args else CALL_LIMIT_S,
            env={**os.environ, **dict.fromkeys(port_variables(), "0")},
        )
        assert not check or done.returncode == 0, (
            f"{args}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
        return done

    def compose(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run compose on this project."""
        files = [
            "docker-compose.yml",
            *([] if self.with_grafana else ["docker/without-grafana.yml"]),
        ]
        options = [part for file in files for part in ("--file", str(ROOT / file))]
        return self.docker("compose", "--project-name", self.project, *options, *args, check=check)

    def up(self, *args: str) -> None:
        """Start it and wait until every container is healthy."""
        self.compose("up", "--wait", *args)

    def down(self) -> None:
        """Remove it with its volumes, whatever state it is in."""
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "1")

    def address(self, service: str, port: int, index: int = 1) -> str:
        """Return the published address of a port."""
        return self.compose("port", "--index", str(index), service, str(port)).stdout.strip()

    def containers(self) -> list[dict[str, Any]]:
        """Return every container of the project, as `docker inspect` shows it."""
        label = f"label=com.docker.compose.project={self.project}"
        ids = self.docker("ps", "--all", "--quiet", "--filter", label).stdout.split()
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", *ids).stdout)
        return found

    def inside(
        self, service: str, *command: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in a service's first container."""
        return self.compose("exec", "--no-TTY", service, *command, check=check)


def service_of(container: dict[str, Any]) -> str:
    name: str = container["Config"]["Labels"]["com.docker.compose.service"]
    return name


def port_variables() -> list[str]:
    """Return the variables of the compose file that set published ports."""
    return re.findall(r"\$\{(AGUANTE_\w+_PORT):-", (ROOT / "docker-compose.yml").read_text())


def has_image(stack: Stack, tag: str) -> bool:
    return stack.docker("image", "inspect", tag, check=False).returncode == 0


KINDS = (("ps", "--all"), ("network", "ls"), ("volume", "ls"))


def left_of(stack: Stack, project: str, *kinds: tuple[str, ...]) -> str:
    """Return the objects that Docker still has of a project, of all kinds or of some."""
    only = ("--filter", f"label=com.docker.compose.project={project}")
    return "".join(stack.docker(*look, "--quiet", *only).stdout for look in kinds or KINDS)


def container_names(stack: Stack) -> set[str]:
    """Return the names of all containers on this machine, running or not."""
    return set(stack.docker("ps", "--all", "--format", "{{.Names}}").stdout.split())
