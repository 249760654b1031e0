"""Borrowing a testbed that runs: found in every way, refused when it is another one, left as it was."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from aguante.clients.toxiproxy_client import ToxiproxyClient
from aguante.collect.span_stream import SpanStream
from aguante.runtimes.attach.attach_runtime import AttachRuntime
from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.runtimes.testbed_state import read_state
from aguante.testbed.runtime import Testbed, TestbedError
from aguante.testbed.testbed_spec import TestbedSpec

PROTOBUF = {"Content-Type": "application/x-protobuf"}
LIMIT_S = 10.0


@pytest.fixture(scope="module")
async def running(own_parent: Path, standin: TestbedSpec) -> AsyncIterator[Testbed]:
    """One testbed with a relay, for all that only look at it."""
    runtime = NativeRuntime(own_parent, relay=True)
    async with runtime.running(standin, "default") as testbed:
        yield testbed


def pids(testbed: Testbed) -> list[int]:
    return [*testbed.servers.values(), *(each.pid for each in testbed.services)]


def stems_in(folder: Path) -> set[str]:
    return {path.stem for path in folder.iterdir()}


async def refusal(
    spec: TestbedSpec, parent: Path, which: str = "", policy: str = "default", **replicas: int
) -> str:
    """What ``up`` says."""
    runtime = AttachRuntime(which, parent=parent)
    with pytest.raises(TestbedError) as caught:
        await runtime.up(spec, policy, "", replicas)
    return str(caught.value)


@pytest.mark.parametrize("how", ["only", "id", "file"])
async def test_a_testbed_is_found_and_goes_on_afterwards(
    how: str, running: Testbed, own_parent: Path, standin: TestbedSpec, tmp_path: Path
) -> None:
    """By its id, by what `up --json` printed, or as the only one; same addresses, same processes after."""
    file = tmp_path / "testbed.json"
    file.write_text(running.model_dump_json())
    which = {"only": "", "id": running.id, "file": str(file)}[how]
    runtime = AttachRuntime(which, parent=own_parent)
    found = await runtime.up(standin, "default", "")
    assert found == running
    assert {name: alive() for name, alive in runtime.parts().items()} == {
        "toxiproxy": True,
        "postgres": True,
    }
    await runtime.down()
    assert all(psutil.pid_exists(pid) for pid in pids(running))


async def test_logs_are_copied(
    running: Testbed, own_parent: Path, standin: TestbedSpec, tmp_path: Path
) -> None:
    """One file per process, the relay's too."""
    runtime = AttachRuntime(parent=own_parent)
    await runtime.up(standin, "default", "")
    try:
        await runtime.save_logs(tmp_path)
    finally:
        await runtime.down()
    assert {"front-1", "back-1", "toxiproxy", "telemetry"} <= stems_in(tmp_path)


async def test_processes_of_a_borrowed_testbed_are_not_broken(
    running: Testbed, own_parent: Path, standin: TestbedSpec
) -> None:
    """Only whoever started a process knows how to start it again."""
    runtime = AttachRuntime(parent=own_parent)
    await runtime.up(standin, "default", "")
    control = runtime.control
    await runtime.down()
    assert control is None


async def test_another_policy_is_refused(
    running: Testbed, own_parent: Path, standin: TestbedSpec
) -> None:
    """The first instance that differs is named, with what it has, and both ways out."""
    told = await refusal(standin, own_parent, policy="other")
    assert "front-1 does not run with policy other: name is default, not other" in told
    assert "aguante up --policy other" in told


async def test_other_replicas_are_refused(
    running: Testbed, own_parent: Path, standin: TestbedSpec
) -> None:
    """How many there are, how many are wanted, and how to have them."""
    told = await refusal(standin, own_parent, back=2)
    assert f"testbed {running.id} runs 1 of back, the experiment needs 2" in told
    assert "--replicas back=2" in told


async def test_what_is_broken_already_is_refused(
    running: Testbed, own_parent: Path, standin: TestbedSpec
) -> None:
    """A proxy that is disabled would be taken for the experiment's doing."""
    client = ToxiproxyClient(running.toxiproxy)
    await asyncio.to_thread(client.set_enabled, "front-back", False)
    try:
        told = await refusal(standin, own_parent)
    finally:
        await asyncio.to_thread(client.set_enabled, "front-back", True)
    assert "already has a fault: front-back is disabled; `aguante heal` removes it" in told


async def test_two_runs_cannot_share_a_testbed(
    running: Testbed, own_parent: Path, standin: TestbedSpec
) -> None:
    """The second is refused while the first has it, and only then."""
    first = AttachRuntime(parent=own_parent)
    await first.up(standin, "default", "")
    told = await refusal(standin, own_parent)
    await first.down()
    assert f"another run is attached to testbed {running.id}" in told
    await first.up(standin, "default", "")
    await first.down()


async def test_another_system_is_refused(
    running: Testbed, own_parent: Path, shop_spec: TestbedSpec
) -> None:
    """Links that it does not have are named."""
    told = await refusal(shop_spec, own_parent)
    assert "has no link client-gateway, " in told
    assert "it does not run aguante-shop" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}", "does not describe a testbed (id: found nothing, expected the key id"),
        ("[", "does not describe a testbed"),
    ],
)
async def test_a_file_that_describes_no_testbed_is_refused(
    text: str, told: str, own_parent: Path, standin: TestbedSpec, tmp_path: Path
) -> None:
    """What is wrong, and what prints a right one."""
    file = tmp_path / "testbed.json"
    file.write_text(text)
    said = await refusal(standin, own_parent, str(file))
    assert told in said
    assert "pass the output of `aguante up --detach --json`" in said


async def test_a_testbed_that_is_not_there_is_told_with_those_that_are(
    running: Testbed, own_parent: Path, standin: TestbedSpec
) -> None:
    """By id."""
    told = await refusal(standin, own_parent, "017-beef")
    assert "there is no testbed '017-beef'; running: " in told
    assert running.id in told


async def test_a_testbed_without_a_relay_is_refused(parent: Path, standin: TestbedSpec) -> None:
    """Its spans could not be read, so nothing could be attributed."""
    async with NativeRuntime(parent).running(standin, "default"):
        told = await refusal(standin, parent)
    assert "has no relay of spans, so failures could not be attributed" in told


async def test_spans_of_a_borrowed_testbed_reach_the_runner(running: Testbed) -> None:
    """What is posted while the stream is open is kept, and what comes within a second after the run's last step."""
    kept: list[bytes] = []
    url = f"{running.telemetry}/v1/traces"

    async def keep(body: bytes) -> None:
        kept.append(body)

    async def post(body: bytes, after_s: float = 0.0) -> None:
        await asyncio.sleep(after_s)
        async with session.post(url, data=body, headers=PROTOBUF) as answer:
            assert answer.status == 200

    stream = SpanStream(running.telemetry, keep)
    async with aiohttp.ClientSession() as session:
        async with stream:
            await post(b"one")
            late = asyncio.create_task(post(b"late", after_s=0.6))  # services export twice a second
        await late
    assert kept == [b"one", b"late"]
    assert stream.lost(0) == 0


async def test_a_relay_that_is_killed_leaves_it_unknown_what_is_missing(
    parent: Path, standin: TestbedSpec
) -> None:
    """A stream that broke off is never taken for a complete one."""

    async def keep(_: bytes) -> None:
        """Nothing comes."""

    async with NativeRuntime(parent, relay=True).running(standin, "default") as testbed:
        stream = SpanStream(testbed.telemetry, keep)
        async with stream:
            saved = read_state(testbed.state)
            assert saved is not None
            os.kill(next(e.pid for e in saved.processes if e.name == "telemetry"), signal.SIGKILL)
            async with asyncio.timeout(LIMIT_S):
                while not stream.broken:  # noqa: ASYNC110 - it is another process that ends
                    await asyncio.sleep(0.01)
        assert stream.lost(0) is None


async def test_no_relay_where_one_is_said_to_be_is_one_message(unused_tcp_port: int) -> None:
    """Before any load is sent."""

    async def keep(_: bytes) -> None:
        """Nothing comes."""

    with pytest.raises(TestbedError, match=r"gives no stream .*nothing can be attributed"):
        async with SpanStream(f"http://127.0.0.1:{unused_tcp_port}", keep):
            pass
