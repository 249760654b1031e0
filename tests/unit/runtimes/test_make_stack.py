"""`make stack`: everything healthy, or one message with cause and fix and no leftovers."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import compose_harness as world
import pytest
from compose_harness import FakeDocker, Said, fake_docker, inspected, listed

from aguante.clients.docker_cli import Docker, DockerError
from offline.stack import WITHOUT_GRAFANA, start_stack
from offline.wanted import COMPOSE_FILE

HERE: Mapping[str, Said] = {
    "'version '*": (0, "20.10.24\n", ""),
    "'compose version '*": (0, "2.40.3\n", ""),
    "compose*config*": (0, '{"name": "shop"}', ""),
}
FAILS: Mapping[str, Said] = {"compose*' up '*": (1, "", world.PORT_TAKEN)}


async def start(fake: FakeDocker, *files: Path) -> list[str]:
    """Start the stack and return the progress messages."""
    said: list[str] = []
    await start_stack(Docker(str(fake.program)), files or (COMPOSE_FILE,), said.append)
    return said


async def test_a_stack_that_comes_up_stays(tmp_path: Path) -> None:
    """Compose receives both files, the second one as an override."""
    fake = fake_docker(tmp_path / "bin", dict(HERE))
    assert "healthy" in (await start(fake, COMPOSE_FILE, WITHOUT_GRAFANA))[-1]
    (up,) = fake.asked(" up --wait")
    assert up.startswith(f"compose --file {COMPOSE_FILE} --file {WITHOUT_GRAFANA} ")
    assert not fake.asked(" down")


async def test_a_port_that_is_taken_is_reported_and_the_containers_are_removed(
    tmp_path: Path,
) -> None:
    """One message is printed and the containers are removed, but not the volumes."""
    fake = fake_docker(tmp_path / "bin", {**FAILS, **HERE})
    with pytest.raises(DockerError) as caught:
        await start(fake)
    assert "port 18998 of this machine is taken by another program" in str(caught.value)
    assert "The containers have been removed" in str(caught.value)
    (down,) = fake.asked(" down")
    assert "volumes" not in down


async def test_a_stack_that_ran_before_is_kept(tmp_path: Path) -> None:
    """It may be in use; the message says how to end it."""
    fake = fake_docker(tmp_path / "bin", {**FAILS, **HERE, **listed(inspected("gateway"))})
    with pytest.raises(
        DockerError,
        match=r"(?s)is taken.*Some containers \(1\) were already running.*make stack-down",
    ):
        await start(fake)
    assert not fake.asked(" down")


async def test_containers_that_have_ended_are_no_running_stack(tmp_path: Path) -> None:
    """Containers that have ended are leftovers of an earlier attempt, and are removed."""
    ended = inspected("gateway", Status="exited", ExitCode=137)
    fake = fake_docker(tmp_path / "bin", {**FAILS, **HERE, **listed(ended)})
    with pytest.raises(DockerError, match="The containers have been removed"):
        await start(fake)
    assert fake.asked(" down")


async def test_ctrl_c_removes_the_containers(tmp_path: Path) -> None:
    """The interruption is raised after the containers are removed."""
    fake = fake_docker(tmp_path / "bin", {"compose*' up '*": (0, "$(sleep 60)", ""), **HERE})
    script = fake.program.read_text().replace("'$(sleep 60)'", '"$(sleep 60)"')
    fake.program.write_text(script)
    starting = asyncio.create_task(start(fake))
    async with asyncio.timeout(20):
        while not fake.asked(" up "):  # noqa: ASYNC110 - it is another process that writes
            await asyncio.sleep(0.01)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
    assert fake.asked(" down")


async def test_a_missing_docker_is_an_error_before_anything_is_created(tmp_path: Path) -> None:
    """It is an error before any container is created."""
    fake = fake_docker(tmp_path / "bin", {"'version '*": (1, "", world.NO_PERMISSION)})
    with pytest.raises(DockerError, match="no permission on the Docker socket"):
        await start(fake)
    assert not fake.asked("compose")
