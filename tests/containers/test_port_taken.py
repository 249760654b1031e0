"""The real `make stack` if a port is taken: one message, and only volumes are left."""

import os
import socket
import subprocess
import sys

import pytest
from stack_harness import ROOT, Stack, left_of, port_variables

pytestmark = [
    pytest.mark.alone,
    pytest.mark.container,
    pytest.mark.long("containers are started, from images that must be built first"),
]

LIMIT_S = 200


def test_a_port_that_is_taken_leaves_only_volumes(stack: Stack) -> None:
    """It exits with 4, cause and fix, and leaves no container or network."""
    project = f"{stack.project}-taken"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        ports = {**dict.fromkeys(port_variables(), "0"), "AGUANTE_TOXIPROXY_PORT": port}
        done = subprocess.run(
            [sys.executable, "-m", "offline", "stack", "--without-grafana"],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            cwd=ROOT,
            env={**os.environ, **ports, "COMPOSE_PROJECT_NAME": project},
        )
    kept = left_of(stack, project, ("volume", "ls")).split()
    if kept:
        stack.docker("volume", "rm", *kept)
    assert done.returncode == 4, done.stderr
    assert f"port {port} of this machine is taken by another program: end that" in done.stderr
    assert "The containers have been removed" in done.stderr
    assert left_of(stack, project) == ""
    assert kept  # the passwords that a database on such a volume knows
