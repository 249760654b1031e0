"""The native runtime with two stand-in services, a real PostgreSQL and a real Toxiproxy."""

import asyncio
import dataclasses
import json
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import psutil
import pytest

from aguante.runtimes import teardown as ending
from aguante.runtimes.native import native_runtime as native
from aguante.runtimes.native import service_processes as services
from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.runtimes.native.port_map import PortMap, assign_ports
from aguante.runtimes.processes import Account, ProcessRef
from aguante.runtimes.testbed_state import SavedState, claim, folders, make_private, sweep
from aguante.testbed.runtime import Testbed, TestbedError
from aguante.testbed.testbed_spec import TestbedSpec


async def get(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        return await answer.text()


def pids(testbed: Testbed) -> set[int]:
    return {*testbed.servers.values(), *(service.pid for service in testbed.services)}


def alive(testbed: Testbed) -> set[int]:
    return {pid for pid in pids(testbed) if psutil.pid_exists(pid)}


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which another program listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


@pytest.fixture(scope="module")
async def looked_at(own_parent: Path, standin: TestbedSpec) -> AsyncIterator[Testbed]:
    """A testbed that tests only read."""
    async with NativeRuntime(own_parent).running(standin, "default") as testbed:
        yield testbed


async def test_up_serves_through_the_entry_link(own_parent: Path, looked_at: Testbed) -> None:
    """The gateway's address is the proxy of the entry link, and it responds."""
    assert await get(f"{looked_at.gateway}/") == '"default"'
    entry = next(link for link in looked_at.links if link.name == "client-front")
    assert looked_at.gateway == f"http://{entry.listen}"
    assert entry.upstream == looked_at.services[0].url.removeprefix("http://")
    assert looked_at.state.parent == own_parent


async def test_each_database_belongs_to_a_role_of_its_name(looked_at: Testbed) -> None:
    """A service uses its database through its link; the auditor bypasses the link."""
    link = next(each for each in looked_at.links if each.name == "back-db")
    for dsn in (f"postgresql://back@{link.listen}/back", looked_at.databases[0].dsn):
        connection = await asyncpg.connect(dsn)
        assert await connection.fetchval("SELECT current_database()") == "back"
        await connection.close()


async def test_down_leaves_no_process_and_no_folder(parent: Path, standin: TestbedSpec) -> None:
    """Every process has ended, and a second ``down`` does nothing."""
    runtime = NativeRuntime()
    testbed = await runtime.up(standin, "default", "")
    assert alive(testbed) == pids(testbed)
    await runtime.down()
    await runtime.down()
    assert alive(testbed) == set()
    assert folders(parent) == ()


async def test_a_service_receives_its_own_links_and_no_address_of_a_peer(
    parent: Path, standin: TestbedSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's HTTP proxy and collector do not reach the services either."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with NativeRuntime().running(standin, "default", "http://127.0.0.1:4318") as testbed:
        front, back = testbed.services
        links = {link.name: link.listen for link in testbed.links}
        env = json.loads(await get(f"{front.url}/env"))
        assert env["LINK_FRONT_BACK"] == f"http://{links['front-back']}"
        assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:4318"
        assert env["OTEL_RESOURCE_ATTRIBUTES"] == "service.instance.id=front-1"
        assert "HTTP_PROXY" not in env
        assert "LINK_BACK_DB" not in env
        assert not [name for name, value in env.items() if back.url.rpartition(":")[2] in value]
        env = json.loads(await get(f"{back.url}/env"))
        assert env["LINK_BACK_DB"] == f"postgresql://back@{links['back-db']}/back"


async def test_two_testbeds_run_side_by_side(parent: Path, standin: TestbedSpec) -> None:
    """They share nothing, and ending one does not affect the other."""
    first, second = NativeRuntime(), NativeRuntime()
    one, two = await asyncio.gather(
        first.up(standin, "default", ""), second.up(standin, "other", "")
    )
    try:
        assert {link.listen for link in one.links}.isdisjoint(link.listen for link in two.links)
        await first.down()
        assert alive(one) == set()
        assert alive(two) == pids(two)
        assert await get(f"{two.gateway}/") == '"other"'
    finally:
        await first.down()
        await second.down()


async def test_a_fixed_gateway_port_is_used(parent: Path, standin: TestbedSpec) -> None:
    """The entry link listens on ``--gateway-port``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with NativeRuntime(gateway_port=port).running(standin, "default") as testbed:
        assert testbed.gateway == f"http://127.0.0.1:{port}"
        await get(f"{testbed.gateway}/")


async def test_a_taken_gateway_port_is_reported_before_anything_starts(
    parent: Path, standin: TestbedSpec, taken_port: int
) -> None:
    """The message names the port, the option, and the program that uses the port."""
    with pytest.raises(TestbedError, match=rf"port {taken_port} .*--gateway-port.* is taken by "):
        await NativeRuntime(gateway_port=taken_port).up(standin, "default", "")
    assert folders(parent) == ()


@pytest.mark.parametrize("part", ["toxiproxy", "postgres", "front", "front-back"])
async def test_a_port_taken_in_between_is_replaced_by_another(
    part: str,
    parent: Path,
    standin: TestbedSpec,
    taken_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If another program takes the port of any part after our check, the next attempt succeeds."""
    layouts: list[PortMap] = []

    def unlucky(*given: Any, **beside: Any) -> PortMap:
        layouts.append(assign_ports(*given, **beside))
        return _with_port(layouts[0], part, taken_port) if len(layouts) == 1 else layouts[-1]

    monkeypatch.setattr(native, "assign_ports", unlucky)
    async with NativeRuntime().running(standin, "default") as testbed:
        await get(f"{testbed.gateway}/")
    assert len(layouts) == 2


def _with_port(layout: PortMap, part: str, port: int) -> PortMap:
    if part in ("toxiproxy", "postgres"):
        return dataclasses.replace(layout, **{part: port})
    if part in layout.services:
        instances = tuple(
            dataclasses.replace(each, port=port, shared_port=port)
            if each.service.name == part
            else each
            for each in layout.instances
        )
        return dataclasses.replace(layout, instances=instances)
    link = layout.links[part].model_copy(update={"listen": f"127.0.0.1:{port}"})
    return dataclasses.replace(layout, links={**layout.links, part: link})


async def test_a_service_that_dies_at_start_is_quoted(parent: Path, standin: TestbedSpec) -> None:
    """One message with exit code and last output; all other processes have ended."""
    with pytest.raises(TestbedError, match=r"(?s)-1 ended with exit code 7 .*out of cheese"):
        await NativeRuntime().up(standin, "dies", "")
    assert folders(parent) == ()


async def test_a_service_that_never_gets_ready_is_an_error(
    parent: Path, standin: TestbedSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message quotes the response of /readyz."""
    monkeypatch.setattr(services, "READY_LIMIT_S", 0.8)
    with pytest.raises(TestbedError, match=r"(?s)not ready within 0.8 s. .*503"):
        await NativeRuntime().up(standin, "deaf", "")


async def test_a_stubborn_service_is_killed(
    parent: Path, standin: TestbedSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL follows SIGTERM after the grace period."""
    monkeypatch.setattr(ending, "SERVICE_GRACE_S", 0.2)
    async with NativeRuntime().running(standin, "stubborn") as testbed:
        pass
    assert alive(testbed) == set()


async def test_an_unknown_policy_is_named(parent: Path, standin: TestbedSpec) -> None:
    """The message lists the existing policies; nothing is started."""
    with pytest.raises(TestbedError, match=r"no policy 'defualt' .*deaf, default, dies"):
        await NativeRuntime().up(standin, "defualt", "")
    assert folders(parent) == ()


async def test_a_missing_server_lists_every_way_to_provide_it(
    parent: Path, standin: TestbedSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A configured path without a program is an error; all processes have ended."""
    monkeypatch.setenv("AGUANTE_TOXIPROXY", str(tmp_path / "nothing"))
    with pytest.raises(
        TestbedError, match=r"AGUANTE_TOXIPROXY is .*nothing, which is no executable"
    ):
        await NativeRuntime().up(standin, "default", "")
    assert folders(parent) == ()


async def test_a_testbed_runs_on_a_disk_where_memory_has_no_room(
    parent: Path, standin: TestbedSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL's data is then in the testbed's own folder."""
    monkeypatch.setattr(native, "MEMORY", parent / "no-memory")
    async with NativeRuntime().running(standin, "default") as testbed:
        assert (testbed.state / "data").resolve().parent == testbed.state
        await get(f"{testbed.gateway}/")


async def test_cancelling_up_ends_every_process(parent: Path, standin: TestbedSpec) -> None:
    """Ctrl-C during the start leaves no process and no folder."""
    ready = asyncio.Event()
    runtime = NativeRuntime(on_ready=lambda *_: ready.set())
    starting = asyncio.create_task(runtime.up(standin, "deaf", ""))
    await ready.wait()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert folders(parent) == ()


async def test_services_restart_with_another_policy(parent: Path, standin: TestbedSpec) -> None:
    """The services' processes are new; addresses, PostgreSQL and Toxiproxy stay."""
    runtime = NativeRuntime()
    async with runtime.running(standin, "default") as before:
        after = await runtime.restart_services("other", "")
        assert after.servers == before.servers
        assert after.links == before.links
        assert {s.pid for s in after.services}.isdisjoint(s.pid for s in before.services)
        assert (after.policy, await get(f"{after.gateway}/")) == ("other", '"other"')


async def _leave_behind(parent: Path, ref: ProcessRef) -> Path:
    """Create the leftovers of a killed run: a folder with its state, and a lock that is free."""
    workspace = await claim(parent)
    workspace.save(SavedState(id=workspace.id, owner=ref, detached=False, processes=(ref,)))
    workspace.release()
    return workspace.root


async def test_leftovers_of_a_killed_run_are_removed(parent: Path) -> None:
    """Its processes are ended and its folder is removed."""
    process = await asyncio.create_subprocess_exec("sleep", "60")
    started = psutil.Process(process.pid).create_time()
    root = await _leave_behind(parent, ProcessRef(name="front-1", pid=process.pid, started=started))
    assert await sweep(parent) == (root.name,)
    assert await process.wait() == -signal.SIGKILL
    assert not root.exists()


async def test_a_reused_pid_is_not_killed(parent: Path) -> None:
    """A pid with another start time belongs to another process."""
    process = await asyncio.create_subprocess_exec("sleep", "60")
    started = psutil.Process(process.pid).create_time() - 3600
    await _leave_behind(parent, ProcessRef(name="front-1", pid=process.pid, started=started))
    await sweep(parent)
    assert process.returncode is None
    process.kill()
    await process.wait()


async def test_a_living_testbed_is_not_swept(own_parent: Path, looked_at: Testbed) -> None:
    """Its lock is held."""
    assert await sweep(own_parent) == ()
    assert alive(looked_at) == pids(looked_at)


def test_a_folder_of_another_user_is_rejected(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a temporary folder that another user has created, that user could read and replace our files."""
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    with pytest.raises(TestbedError, match=r"is not a folder of this user.*AGUANTE_STATE"):
        make_private(parent)


async def test_a_folder_that_postgres_cannot_access_is_named(
    parent: Path, standin: TestbedSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the account, the folder, and the variable that sets another folder."""
    monkeypatch.setattr(native, "MEMORY", parent / "no-memory")
    closed = parent / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(
        "aguante.runtimes.native.postgres_server.unprivileged_account",
        lambda: Account("nobody", 65534, 65534),
    )
    with pytest.raises(TestbedError, match=r"runs as nobody .*closed.*AGUANTE_STATE"):
        await NativeRuntime(closed / "testbeds").up(standin, "default", "")
