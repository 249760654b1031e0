"""Failures of the compose runtime: one message with cause and fix, and no leftovers."""

import json
import socket
from collections.abc import Mapping
from pathlib import Path

import compose_harness as world
import pytest
from compose_harness import FakeDocker, Said, fake_docker, inspected, listed

from aguante.clients.docker_cli import Docker
from aguante.runtimes.compose.compose_runtime import ComposeRuntime
from aguante.runtimes.processes import ProcessRef, this_process
from aguante.runtimes.testbed_state import (
    PROJECT_PREFIX,
    SavedState,
    claim,
    folders,
    live_testbeds,
    read_state,
    sweep,
)
from aguante.testbed.runtime import TestbedError
from aguante.testbed.testbed_file import load_testbed
from aguante.testbed.testbed_spec import TestbedSpec

ROOT = Path(__file__).parents[3]
HERE: Mapping[str, Said] = {
    "'version '*": (0, "20.10.24\n", ""),
    "'compose version '*": (0, "2.40.3\n", ""),
}


@pytest.fixture(scope="module")
def spec() -> TestbedSpec:
    return load_testbed(ROOT / "testbed.yaml")


async def refused(spec: TestbedSpec, parent: Path, fake: FakeDocker, **options: int) -> str:
    """The message of a failed ``up``, after which no folder may be left."""
    runtime = ComposeRuntime(parent, docker=Docker(str(fake.program)), **options)
    with pytest.raises(TestbedError) as caught:
        await runtime.up(spec, "default", "")
    assert folders(parent) == ()
    return str(caught.value)


async def test_a_missing_docker_is_an_error_before_anything_is_created(
    spec: TestbedSpec, tmp_path: Path
) -> None:
    """The message names the runtime that needs no Docker."""
    nowhere = FakeDocker(tmp_path / "no-docker", tmp_path / "calls")
    assert "native runtime needs none" in await refused(spec, tmp_path, nowhere)


@pytest.mark.parametrize(
    ("answers", "configured"),
    [
        ({"'version '*": (1, "", world.NO_DAEMON)}, "the Docker daemon does not respond: start it"),
        ({"'version '*": (1, "", world.NO_PERMISSION)}, "no permission on the Docker socket"),
        ({"compose*": (1, "", world.NO_COMPOSE)}, "Docker has no Compose plugin: install"),
        ({"compose*": (0, "2.12.2\n", "")}, "Docker Compose 2.12.2 is too old: 2.20 or newer"),
        ({"compose*": (0, "v2.5.0-desktop\n", "")}, "2.5.0-desktop is too old"),
        ({"compose*": (0, "", "")}, "(of unknown version) is too old"),
    ],
)
async def test_an_unsuitable_docker_is_an_error_before_anything_is_created(
    answers: Mapping[str, Said], configured: str, spec: TestbedSpec, tmp_path: Path
) -> None:
    """One message is printed and no container is started."""
    fake = fake_docker(
        tmp_path / "bin",
        {**answers, **{key: said for key, said in HERE.items() if key not in answers}},
    )
    assert configured in await refused(spec, tmp_path, fake)
    assert not fake.asked(" up ")


@pytest.mark.parametrize(
    ("words", "configured"),
    [
        (world.PORT_TAKEN, "port 18998 of this machine is taken by another program"),
        (world.NO_IMAGE, "build stand-ins from package mirrors (`make images-offline`)"),
    ],
)
async def test_what_cannot_be_started_is_removed_again(
    words: str, configured: str, spec: TestbedSpec, tmp_path: Path
) -> None:
    """If a port is taken or an image is missing, all containers, networks and volumes are removed."""
    made = inspected("toxiproxy")
    fake = fake_docker(
        tmp_path / "bin", {"compose*' up '*": (1, "", words), **HERE, **listed(made)}
    )
    assert configured in await refused(spec, tmp_path, fake)
    assert fake.asked("rm --force --volumes toxiproxy-id")
    assert fake.asked("network ls")
    assert fake.asked("volume ls")


@pytest.mark.parametrize(
    ("state", "configured"),
    [
        (
            {"Health": {"Status": "unhealthy"}},
            "payments-1 is unhealthy; its last output:\n  no cheese",
        ),
        (
            {"Status": "exited", "ExitCode": 3},
            "payments-1 ended with exit code 3; its last output:",
        ),
        ({"Status": "exited", "ExitCode": 137, "OOMKilled": True}, "exceeded its memory limit"),
    ],
)
async def test_a_container_that_never_gets_healthy_is_reported_with_its_last_output(
    state: Mapping[str, object], configured: str, spec: TestbedSpec, tmp_path: Path
) -> None:
    """Compose names only the container; the message adds the container's last output."""
    sick, well = inspected("payments", **state), inspected("gateway")
    fake = fake_docker(
        tmp_path / "bin",
        {
            "compose*' up '*": (1, "", world.UNHEALTHY),
            "logs*payments-id": (
                0,
                "a line\nno cheese\n" if "Health" not in state else "no cheese",
                "",
            ),
            **HERE,
            **listed(sick, well),
        },
    )
    message = await refused(spec, tmp_path, fake)
    assert configured in message
    assert "gateway" not in message


STARTING = {"Health": {"Status": "starting"}}
SICK = {"Health": {"Status": "unhealthy"}}
PULLED = " payments Warning pull access denied for shop/payments, repository does not exist\n"


@pytest.mark.parametrize(
    ("words", "payments", "configured", "untold"),
    [
        (world.PORT_TAKEN, STARTING, "port 18998 of this machine is taken", "payments"),
        (world.PORT_TAKEN, SICK, "port 18998 of this machine is taken", "payments"),
        (world.LATE, STARTING, f"{world.LATE}\ngateway-1 is starting; its last", "is taken"),
        (world.UNHEALTHY, SICK, "payments-1 is unhealthy", "gateway"),
        (PULLED + world.UNHEALTHY, SICK, "payments-1 is unhealthy", "pulled"),
        (
            "no cheese is left",
            STARTING,
            "Compose's message: no cheese is left\ngateway-1",
            "is taken",
        ),
    ],
    ids=["port", "port-and-sick", "late", "sick", "pulled-in-vain", "unknown"],
)
async def test_one_that_is_still_starting_hides_no_cause(
    words: str,
    payments: Mapping[str, object],
    configured: str,
    untold: str,
    spec: TestbedSpec,
    tmp_path: Path,
) -> None:
    """The message shows Compose's cause first, then failed containers, then those that are not healthy yet."""
    made = listed(inspected("payments", **payments), inspected("gateway", **STARTING))
    fake = fake_docker(tmp_path / "bin", {"compose*' up '*": (1, "", words), **HERE, **made})
    message = await refused(spec, tmp_path, fake)
    assert configured in message
    assert untold not in message


async def test_a_gateway_port_that_is_taken_is_reported_before_docker_is_called(
    spec: TestbedSpec, tmp_path: Path, unused_tcp_port: int
) -> None:
    """Our own check finds it, because it can name the program that uses the port."""
    fake = fake_docker(tmp_path / "bin", dict(HERE))
    with socket.create_server(("127.0.0.1", unused_tcp_port)):
        configured = await refused(spec, tmp_path, fake, gateway_port=unused_tcp_port)
    assert f"port {unused_tcp_port} on 127.0.0.1 (--gateway-port) is taken" in configured
    assert not fake.asked(" up ")


async def test_a_testbed_without_a_compose_file_is_an_error(
    spec: TestbedSpec, tmp_path: Path
) -> None:
    """It is an error before Docker is called."""
    fake = fake_docker(tmp_path / "bin", {})
    configured = await refused(spec.model_copy(update={"compose": None}), tmp_path, fake)
    assert "add `compose: docker-compose.yml`" in configured
    assert fake.calls == []


async def left_behind(parent: Path, *, detached: bool) -> Path:
    """Create the folder of a testbed of containers whose runner was killed."""
    workspace = await claim(parent, prefix=PROJECT_PREFIX)
    owner = this_process("runner") if detached else ProcessRef(name="r", pid=2**22 + 1, started=0)
    workspace.save(
        SavedState(id=workspace.id, owner=owner, detached=detached, project=workspace.id)
    )
    workspace.release()
    return workspace.root


async def test_what_a_killed_runner_left_is_removed_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers, then networks and volumes with the project's labels, then the folder."""
    root = await left_behind(tmp_path / "beds", detached=False)
    fake = fake_docker(tmp_path / "bin", listed(inspected("payments")))
    monkeypatch.setenv("PATH", f"{fake.program.parent}:/usr/bin:/bin")
    assert await sweep(tmp_path / "beds") == (root.name,)
    assert folders(tmp_path / "beds") == ()
    assert fake.asked(f"label=com.docker.compose.project={root.name}")
    assert fake.asked("rm --force --volumes payments-id")


async def test_what_cannot_be_removed_now_is_kept_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A native run does not fail if Docker is down, and the leftovers stay recorded."""
    root = await left_behind(tmp_path / "beds", detached=False)
    fake = fake_docker(tmp_path / "bin", {}, otherwise=(1, "", world.NO_DAEMON))
    monkeypatch.setenv("PATH", f"{fake.program.parent}:/usr/bin:/bin")
    assert await sweep(tmp_path / "beds") == ()
    assert folders(tmp_path / "beds") == (root,)


async def test_a_detached_testbed_of_containers_is_alive_without_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep does not remove it, and `ps` lists it, until `aguante down`."""
    root = await left_behind(tmp_path / "beds", detached=True)
    fake = fake_docker(tmp_path / "bin", listed(inspected("payments")))
    monkeypatch.setenv("PATH", f"{fake.program.parent}:/usr/bin:/bin")
    assert await sweep(tmp_path / "beds") == ()
    assert [each.id for each in live_testbeds(tmp_path / "beds")] == [root.name]
    assert fake.calls == []


def test_states_of_earlier_versions_are_still_read(tmp_path: Path) -> None:
    """A state without a project means plain processes."""
    state = {"id": "001-beef", "owner": {"name": "r", "pid": 1, "started": 0}, "detached": False}
    (tmp_path / "state.json").write_text(json.dumps(state))
    saved = read_state(tmp_path)
    assert saved is not None
    assert saved.project == ""
