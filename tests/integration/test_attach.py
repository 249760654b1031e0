"""Attaching to a running testbed: finding it, rejecting an unsuitable one, leaving it unchanged."""

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
    """A testbed with a relay that tests only read."""
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
    """The message of a failed ``up``."""
    runtime = AttachRuntime(which, parent=parent)
    with pytest.raises(TestbedError) as caught:
        await runtime.up(spec, policy, "", replicas)
    return str(caught.value)


@pytest.mark.parametrize("how", ["only", "id", "file"])
async def test_a_testbed_is_found_and_keeps_running(
    how: str, running: Testbed, own_parent: Path, standin: TestbedSpec, tmp_path: Path
) -> None:
    """It is found by its id, by the output of `up --json`, or as the only one, and is not changed."""
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
    """There is one file per process, including the relay."""
    runtime = AttachRuntime(parent=own_parent)
    await runtime.up(standin, "default", "")
    try:
        await runtime.save_logs(tmp_path)
    finally:
        await runtime.down()
    assert {"front-1", "back-1", "toxiproxy", "telemetry"} <= stems_in(tmp_path)


async def test_processes_of_an_attached_testbed_are_not_controlled(
    running: Testbed, own_parent: Path, standin: TestbedSpec
) -> None:
    """Only the runtime that started a process can restart it."""
    runtime = AttachRuntime(parent=own_parent)
    await runtime.up(standin, "default", "")
    control = runtime.control
    await runtime.down()
    assert control is None


async def test_another_policy_is_refused(
    running: Testbed, own_parent: Path, standin: TestbedSpec
) -> None:
    """The message names the first instance that differs, its value, and both fixes."""
    said = await refusal(standin, own_parent, policy="other")
    assert "front-1 does not run with policy other: name is default, not other" in said
    assert "aguante up --policy other" in said


async def test_other_replicas_are_refused(
    running: Testbed, own_parent: Path, standin: TestbedSpec
) -> None:
    """The message contains the actual and the wanted number, and the fix."""
    said = await refusal(standin, own_parent, back=2)
    assert f"testbed {running.id} runs 1 of back, the experiment needs 2" in said
    assert "--replicas back=2" in said


async def test_a_testbed_with_a_fault_is_rejected(
    running: Testbed, own_parent: Path, standin: TestbedSpec
) -> None:
    """A disabled proxy would look like a fault of the experiment."""
    client = ToxiproxyClient(running.toxiproxy)
    await asyncio.to_thread(client.set_enabled, "front-back", False)
    try:
        said = await refusal(standin, own_parent)
    finally:
        await asyncio.to_thread(client.set_enabled, "front-back", True)
    assert "already has a fault: front-back is disabled; `aguante heal` removes it" in said


async def test_two_runs_cannot_share_a_testbed(
    running: Testbed, own_parent: Path, standin: TestbedSpec
) -> None:
    """The second run is rejected while the first is attached, and accepted afterwards."""
    first = AttachRuntime(parent=own_parent)
    await first.up(standin, "default", "")
    said = await refusal(standin, own_parent)
    await first.down()
    assert f"another run is attached to testbed {running.id}" in said
    await first.up(standin, "default", "")
    await first.down()


async def test_another_system_is_refused(
    running: Testbed, own_parent: Path, shop_spec: TestbedSpec
) -> None:
    """The message names the missing links."""
    said = await refusal(shop_spec, own_parent)
    assert "has no link client-gateway, " in said
    assert "it does not run aguante-shop" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "does not describe a testbed (id: found nothing, expected the key id"),
        ("[", "does not describe a testbed"),
    ],
)
async def test_a_file_that_describes_no_testbed_is_refused(
    text: str, said: str, own_parent: Path, standin: TestbedSpec, tmp_path: Path
) -> None:
    """The message contains the error, and the command whose output is expected."""
    file = tmp_path / "testbed.json"
    file.write_text(text)
    said = await refusal(standin, own_parent, str(file))
    assert said in said
    assert "pass the output of `aguante up --detach --json`" in said


async def test_an_unknown_testbed_is_reported_with_the_running_ones(
    running: Testbed, own_parent: Path, standin: TestbedSpec
) -> None:
    """The message lists the ids of running testbeds."""
    said = await refusal(standin, own_parent, "017-beef")
    assert "there is no testbed '017-beef'; running: " in said
    assert running.id in said


async def test_a_testbed_without_a_relay_is_refused(parent: Path, standin: TestbedSpec) -> None:
    """Without its spans, failures could not be attributed."""
    async with NativeRuntime(parent).running(standin, "default"):
        said = await refusal(standin, parent)
    assert "has no relay of spans, so failures could not be attributed" in said


async def test_spans_of_an_attached_testbed_reach_the_runner(running: Testbed) -> None:
    """Spans are kept if they arrive while the stream is open or within a second after the run's last step."""
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


async def test_after_a_killed_relay_it_is_unknown_which_spans_are_missing(
    parent: Path, standin: TestbedSpec
) -> None:
    """An interrupted stream does not count as complete."""

    async def keep(_: bytes) -> None:
        """Discard the spans."""

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


async def test_a_relay_that_does_not_respond_is_one_message(unused_tcp_port: int) -> None:
    """It is an error before any load is sent."""

    async def keep(_: bytes) -> None:
        """Discard the spans."""

    with pytest.raises(TestbedError, match=r"gives no stream .*no failure can be attributed"):
        async with SpanStream(f"http://127.0.0.1:{unused_tcp_port}", keep):
            pass
