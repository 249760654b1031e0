"""A fake docker: a script that responds to each call as the real program did when it was recorded."""

import json
import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Said = tuple[int, str, str]
"""Exit code, stdout, stderr."""
FINE: Said = (0, "", "")

NO_DAEMON = (
    "Cannot connect to the Docker daemon at unix:///nope.sock. Is the docker daemon running?"
)
NO_PERMISSION = (
    "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: "
    'Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.50/containers/json": dial unix /var/run/docker.sock: connect: '
    "permission denied"
)
NO_COMPOSE = "docker: unknown command: docker compose\n\nRun 'docker --help' for more information"
NO_COMPOSE_BEFORE = (
    "docker: 'compose' is not a docker command.\nSee 'docker --help'"  # engines up to 20.10
)
PORT_TAKEN = (
    " Container shop-gateway-1  Starting\nError response from daemon: driver failed programming external "
    "connectivity on endpoint shop-gateway-1 (e1def4e8): Error starting userland proxy: listen tcp4 "
    "127.0.0.1:18998: bind: address already in use"
)
PORT_TAKEN_BY_CONTAINER = (
    "docker: Error response from daemon: driver failed programming external connectivity on endpoint "
    "shop-gateway-1 (9034c9df): Bind for 127.0.0.1:18997 failed: port is already allocated"
)
NO_IMAGE = (
    ' two Pulling \n two Error Get "https://registry.example/v2/": dial tcp: lookup registry.example: no such '
    'host\nError response from daemon: Get "https://registry.example/v2/": dial tcp: lookup registry.example: '
    "no such host"
)
NOT_FROZEN = (
    "Error response from daemon: Cannot pause container 5fe8a8e738a1: OCI runtime pause failed: unable to "
    "freeze: unknown"
)
UNHEALTHY = " Container shop-payments-1  Waiting\ncontainer shop-payments-1 is unhealthy"

LATE = "application not healthy after 3m0s"


@dataclass(frozen=True)
class FakeDocker:
    """The fake program, and the record of its calls, one per line."""

    program: Path
    calls_file: Path

    @property
    def calls(self) -> list[str]:
        if not self.calls_file.exists():
            return []
        return self.calls_file.read_text().splitlines()

    def asked(self, part: str) -> list[str]:
        """The calls that contain this text."""
        return [call for call in self.calls if part in call]


def fake_docker(folder: Path, answers: Mapping[str, Said], otherwise: Said = FINE) -> FakeDocker:
    """Create the program: the first pattern (of the shell's ``case``) that matches all arguments decides the response.

    Once it was configured to remove containers, it lists none.
    """
    folder.mkdir(exist_ok=True)
    program, calls = folder / "docker", folder / "calls"
    cases = [
        f"{pattern}) printf %s {shlex.quote(out)}; printf %s {shlex.quote(err)} >&2; exit {code};;"
        for pattern, (code, out, err) in (*answers.items(), ("*", otherwise))
    ]
    kept = shlex.quote(str(calls))
    gone = f'case "$*" in "ps --all"*) grep -q "^rm " {kept} && exit 0;; esac'
    script = ["#!/bin/sh", f'echo "$*" >> {kept}', gone, 'case "$*" in', *cases, "esac"]
    program.write_text("\n".join(script) + "\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return FakeDocker(program, calls)


def inspected(service: str, **changes: object) -> dict[str, object]:
    """One object of ``docker container inspect`` with the fields that we read, as engine 20.10 writes them."""
    state = {
        "Status": "running",
        "OOMKilled": False,
        "Pid": 4242,
        "ExitCode": 0,
        "StartedAt": "2026-11-24T07:50:42.618637123Z",
        "Health": {"Status": "healthy"},
    }
    state |= {key: value for key, value in changes.items() if key in state}
    port = changes.get("port", 5003)
    return {
        "Id": f"{service}-id",
        "Name": f"/shop-{service}-1",
        "State": state,
        "Config": {
            "Image": "aguante/services:0.1.0",
            "Env": ["PORT=5003", "POSTGRES_PASSWORD=a:b\\c"],
            "Labels": {
                "com.docker.compose.project": "shop",
                "com.docker.compose.oneoff": "False",
                "com.docker.compose.service": service,
                "com.docker.compose.container-number": str(changes.get("number", 1)),
            },
        },
        "NetworkSettings": {
            "Ports": {
                f"{port}/tcp": [{"HostIp": "127.0.0.1", "HostPort": "26663"}],
                "6001/tcp": None,
            }
        },
    }


def listed(*containers: dict[str, object]) -> Mapping[str, Said]:
    """Docker's responses if these containers exist."""
    ids = "\n".join(str(each["Id"]) for each in containers)
    return {
        "'ps --all '*": (0, ids, ""),
        "'container inspect '*": (0, json.dumps(containers), ""),
    }
