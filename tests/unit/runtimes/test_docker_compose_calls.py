"""Docker calls: time limits, error messages, and containers read from ``inspect``."""

from pathlib import Path

import compose_harness as world
import pytest
from compose_harness import fake_docker, inspected, listed

from aguante.clients.docker_causes import FREEZE_TRIES, cause_of
from aguante.clients.docker_cli import Docker, DockerError
from aguante.runtimes.attach.find_testbed import find_testbed_of
from aguante.testbed.runtime import TestbedError
from aguante.testbed.testbed_spec import TestbedSpec


async def test_what_docker_printed_comes_back(tmp_path: Path) -> None:
    """A successful call returns stdout."""
    fake = fake_docker(tmp_path, {"version*": (0, "20.10.24\n", "a warning")})
    assert await Docker(str(fake.program)).run("version") == "20.10.24\n"


async def test_a_call_that_fails_names_itself_and_the_cause(tmp_path: Path) -> None:
    """If the cause is unknown, the message quotes Docker."""
    fake = fake_docker(tmp_path, {}, otherwise=(1, "", "Error: out of cheese"))
    with pytest.raises(DockerError, match="`docker start a` failed: Error: out of cheese"):
        await Docker(str(fake.program)).run("start", "a")


async def test_a_missing_docker_is_reported_with_the_alternative() -> None:
    """The message names the native runtime, which needs no Docker."""
    with pytest.raises(
        DockerError,
        match=r"docker cannot be run .*install Docker Engine.*native runtime needs none",
    ):
        await Docker("/nowhere/docker").run("ps")


async def test_a_call_that_hangs_is_killed_at_its_limit(tmp_path: Path) -> None:
    """The message names the call and its limit."""
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    with pytest.raises(DockerError, match=r"`docker ps` did not end within 0.05 s"):
        await Docker(str(program)).run("ps", limit_s=0.05)


async def test_pausing_a_container_is_retried_while_a_process_starts_in_it(
    tmp_path: Path,
) -> None:
    """runc cannot freeze a container while a process is being started in it; a retry succeeds."""
    program, calls = tmp_path / "docker", tmp_path / "calls"
    program.write_text(
        f"#!/bin/sh\necho $* >> {calls}\n"
        f"[ $(wc -l < {calls}) -ge 3 ] || {{ echo '{world.NOT_FROZEN}' >&2; exit 1; }}\n"
    )
    program.chmod(0o755)
    await Docker(str(program)).pause("a")
    assert calls.read_text().splitlines() == ["pause a"] * 3


@pytest.mark.parametrize(
    ("words", "tries"), [(world.NOT_FROZEN, FREEZE_TRIES), ("Container a is not running", 1)]
)
async def test_a_container_that_cannot_be_frozen_is_an_error(
    words: str, tries: int, tmp_path: Path
) -> None:
    """Another error is reported at once, without retries."""
    fake = fake_docker(tmp_path, {}, otherwise=(1, "", words))
    with pytest.raises(DockerError, match=f"`docker pause a` failed: {words}"):
        await Docker(str(fake.program)).pause("a")
    assert fake.calls == ["pause a"] * tries


async def test_output_of_any_length_goes_to_a_file(tmp_path: Path) -> None:
    """Both streams are written, whatever the exit code."""
    fake = fake_docker(tmp_path / "bin", {"logs*": (1, "out\n", "err\n")})
    await Docker(str(fake.program)).run_to_file(tmp_path / "log", "logs", "a")
    assert (tmp_path / "log").read_text() == "out\nerr\n"


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (world.NO_DAEMON, "the Docker daemon does not respond: start it"),
        (world.NO_PERMISSION, "no permission on the Docker socket: add yourself to its group"),
        (
            f"WARNING: open config.json: permission denied\n{world.NO_PERMISSION}",
            "no permission on",
        ),
        (world.NO_COMPOSE, "Docker has no Compose plugin: install docker-compose-plugin"),
        (world.NO_COMPOSE_BEFORE, "Docker has no Compose plugin"),
        (world.PORT_TAKEN, "port 18998 of this machine is taken by another program"),
        (world.PORT_TAKEN_BY_CONTAINER, "port 18997 of this machine is taken"),
        ("failed to bind host port for 127.0.0.1:80:172.17.0.2:80/tcp: in use", "port 80 of this"),
        (world.NO_IMAGE, "the image of two is missing and could not be pulled"),
        (world.NO_IMAGE, "`make images-offline`"),
        (
            "Unable to find image 'a/b:3' locally\ndocker: pull access denied for a/b",
            "image a/b:3 is",
        ),
        ("write /x: no space left on device", "Docker's disk is full"),
    ],
)
def test_each_known_cause_is_reported_with_its_fix(words: str, cause: str) -> None:
    """Recorded messages of Docker are translated; the line that matched is quoted."""
    assert cause in cause_of(words)
    assert "\n  Docker's message: " in cause_of(words)


def test_the_quoted_line_is_the_error() -> None:
    """The quoted line is the error, not a warning before it or advice after it."""
    configured = cause_of(
        f"WARNING: something: permission denied\n{world.NO_PERMISSION}\nSee 'docker'"
    )
    assert configured.splitlines()[-1].startswith(
        "  Docker's message: permission denied while trying to connect"
    )


async def test_containers_are_read_by_service_and_number(tmp_path: Path) -> None:
    """State, health, pid and published ports are read; unpublished ports are omitted."""
    two, one = inspected("payments", number=2, Status="exited", Pid=0), inspected("payments")
    fake = fake_docker(tmp_path, listed(two, one))
    first, second = await Docker(str(fake.program)).containers("shop", "payments")
    assert (first.instance, second.instance) == ("payments-1", "payments-2")
    assert (first.name, first.state, first.health, first.pid) == (
        "shop-payments-1",
        "running",
        "healthy",
        4242,
    )
    assert first.ports == {"5003/tcp": 26663}
    assert (second.state, second.pid) == ("exited", 0)
    assert fake.asked("label=com.docker.compose.service=payments")
    assert fake.asked("label=com.docker.compose.oneoff=False")


async def test_a_container_that_vanished_between_two_looks_is_left_out(tmp_path: Path) -> None:
    """``inspect`` then exits with 1 and lists the others."""
    answers = {"'container inspect'*": (1, "[]\n", "Error: No such container: x")}
    fake = fake_docker(tmp_path, answers)
    assert await Docker(str(fake.program)).inspect(["x"]) == ()


async def test_no_project_is_no_containers(tmp_path: Path) -> None:
    """``inspect`` is not called, because without ids docker prints its usage."""
    fake = fake_docker(tmp_path, {})
    assert await Docker(str(fake.program)).containers("shop") == ()
    assert not fake.asked("inspect")


async def test_an_unknown_testbed_is_reported_with_dockers_error(
    tmp_path: Path, shop: TestbedSpec
) -> None:
    """The message contains the name, the testbeds of plain processes, and Docker's error."""
    fake = fake_docker(tmp_path, {}, otherwise=(1, "", "Cannot connect to the Docker daemon"))
    docker = Docker(str(fake.program))
    with pytest.raises(TestbedError) as configured:
        await find_testbed_of("999-none", shop, tmp_path / "state", docker)
    said = str(configured.value)
    assert said.startswith("there is no testbed '999-none'; running: none.")
    assert "could not be queried" in said
    assert "Cannot connect to the Docker daemon" in said
