"""The compose runtime where something cannot be had: one message with cause and fix, nothing left half up."""

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
    """What ``up`` says when it fails; no folder may be left then."""
    runtime = ComposeRuntime(parent, docker=Docker(str(fake.program)), **options)
    with pytest.raises(TestbedError) as caught:
        await runtime.up(spec, "default", "")
    assert folders(parent) == ()
    return str(caught.value)


async def test_no_docker_is_told_before_anything_is_made(spec: TestbedSpec, tmp_path: Path) -> None:
    """With the way that needs none."""
    nowhere = FakeDocker(tmp_path / "no-docker", tmp_path / "calls")
    assert "native runtime needs none" in await refused(spec, tmp_path, nowhere)


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"'version '*": (1, "", world.NO_DAEMON)}, "the Docker daemon does not respond: start it"),
        ({"'version '*": (1, "", world.NO_PERMISSION)}, "no permission on the Docker socket"),
        ({"compose*": (1, "", world.NO_COMPOSE)}, "Docker has no Compose plugin: install"),
        ({"compose*": (0, "2.12.2\n", "")}, "Docker Compose 2.12.2 is too old: 2.20 or newer"),
        ({"compose*": (0, "v2.5.0-desktop\n", "")}, "2.5.0-desktop is too old"),
        ({"compose*": (0, "", "")}, "(of unknown version) is too old"),
    ],
)
async def test_a_docker_that_will_not_do_is_told_before_anything_is_made(
    answers: Mapping[str, Said], told: str, spec: TestbedSpec, tmp_path: Path
) -> None:
    """One message; no container was asked for."""
    fake = fake_docker(
        tmp_path / "bin",
        {**answers, **{key: said for key, said in HERE.items() if key not in answers}},
    )
    assert told in await refused(spec, tmp_path, fake)
    assert not fake.asked(" up ")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (world.PORT_TAKEN, "port 18998 of this machine is taken by another program"),
        (world.NO_IMAGE, "build stand-ins from package mirrors (`make images-offline`)"),
    ],
)
async def test_what_cannot_be_started_is_removed_again(
    words: str, told: str, spec: TestbedSpec, tmp_path: Path
) -> None:
    """A port taken, an image that is not there: containers, networks and volumes that were made are removed."""
    made = inspected("toxiproxy")
    fake = fake_docker(
        tmp_path / "bin", {"compose*' up '*": (1, "", words), **HERE, **listed(made)}
    )
    assert told in await refused(spec, tmp_path, fake)
    assert fake.asked("rm --force --volumes toxiproxy-id")
    assert fake.asked("network ls")
    assert fake.asked("volume ls")


@pytest.mark.parametrize(
    ("state", "told"),
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
async def test_a_container_that_never_gets_healthy_is_told_with_its_last_words(
    state: Mapping[str, object], told: str, spec: TestbedSpec, tmp_path: Path
) -> None:
    """Compose says only which; what the container said is what helps."""
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
    assert told in message
    assert "gateway" not in message


STARTING = {"Health": {"Status": "starting"}}
SICK = {"Health": {"Status": "unhealthy"}}
PULLED = " payments Warning pull access denied for shop/payments, repository does not exist\n"


@pytest.mark.parametrize(
    ("words", "payments", "told", "untold"),
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
    told: str,
    untold: str,
    spec: TestbedSpec,
    tmp_path: Path,
) -> None:
    """Others are, whatever went wrong: Compose's cause goes first, then who is ill, then who took too long."""
    made = listed(inspected("payments", **payments), inspected("gateway", **STARTING))
    fake = fake_docker(tmp_path / "bin", {"compose*' up '*": (1, "", words), **HERE, **made})
    message = await refused(spec, tmp_path, fake)
    assert told in message
    assert untold not in message


async def test_a_gateway_port_that_is_taken_is_told_before_docker_is_asked_for_it(
    spec: TestbedSpec, tmp_path: Path, unused_tcp_port: int
) -> None:
    """By our own look, which can say who has it."""
    fake = fake_docker(tmp_path / "bin", dict(HERE))
    with socket.create_server(("127.0.0.1", unused_tcp_port)):
        told = await refused(spec, tmp_path, fake, gateway_port=unused_tcp_port)
    assert f"port {unused_tcp_port} on 127.0.0.1 (--gateway-port) is taken" in told
    assert not fake.asked(" up ")


async def test_a_testbed_without_a_compose_file_is_told_so(
    spec: TestbedSpec, tmp_path: Path
) -> None:
    """Before Docker is asked anything."""
    fake = fake_docker(tmp_path / "bin", {})
    told = await refused(spec.model_copy(update={"compose": None}), tmp_path, fake)
    assert "add `compose: docker-compose.yml`" in told
    assert fake.calls == []


async def left_behind(parent: Path, *, detached: bool) -> Path:
    """The folder of a testbed of containers whose runner was killed."""
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
    """By the labels of its project, containers before networks and volumes; then its folder."""
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
    """A native run must not fail since Docker is down; and nothing may be forgotten."""
    root = await left_behind(tmp_path / "beds", detached=False)
    fake = fake_docker(tmp_path / "bin", {}, otherwise=(1, "", world.NO_DAEMON))
    monkeypatch.setenv("PATH", f"{fake.program.parent}:/usr/bin:/bin")
    assert await sweep(tmp_path / "beds") == ()
    assert folders(tmp_path / "beds") == (root,)


async def test_a_detached_testbed_of_containers_lives_though_no_process_holds_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until `aguante down`: a sweep leaves it alone, and `ps` lists it."""
    root = await left_behind(tmp_path / "beds", detached=True)
    fake = fake_docker(tmp_path / "bin", listed(inspected("payments")))
    monkeypatch.setenv("PATH", f"{fake.program.parent}:/usr/bin:/bin")
    assert await sweep(tmp_path / "beds") == ()
    assert [each.id for each in live_testbeds(tmp_path / "beds")] == [root.name]
    assert fake.calls == []


def test_states_of_earlier_versions_are_still_read(tmp_path: Path) -> None:
    """They name no project: plain processes."""
    state = {"id": "001-beef", "owner": {"name": "r", "pid": 1, "started": 0}, "detached": False}
    (tmp_path / "state.json").write_text(json.dumps(state))
    saved = read_state(tmp_path)
    assert saved is not None
    assert saved.project == ""
