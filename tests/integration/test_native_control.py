"""Killing, starting, pausing and resuming one instance of a native testbed, with two stand-in services."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.runtimes.testbed_state import live_testbeds, read_state
from aguante.testbed.runtime import RunningService, Testbed, TestbedError
from aguante.testbed.testbed_spec import TestbedSpec

Up = tuple[NativeRuntime, Testbed]


@pytest.fixture(scope="module")
async def held(own_parent: Path, standin: TestbedSpec) -> AsyncIterator[NativeRuntime]:
    """The runtime of this module's testbed."""
    runtime = NativeRuntime(own_parent)
    async with runtime.running(standin, "default"):
        yield runtime


@pytest.fixture
async def up(held: NativeRuntime) -> AsyncIterator[Up]:
    """The runtime with its complete testbed; instances that a test ends are started again afterwards."""
    yield held, held.testbed
    back = instance(held.testbed, "back-1")
    if not psutil.pid_exists(back.pid):
        back = instance(await held.start("back-1"), "back-1")
    async with asyncio.timeout(10):
        while not await answers(back.url):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


def instance(testbed: Testbed, name: str) -> RunningService:
    return next(each for each in testbed.services if each.instance == name)


async def answers(url: str, limit_s: float = 2.0) -> bool:
    """Whether a GET returns 200 within the limit."""
    limit = aiohttp.ClientTimeout(total=limit_s)
    try:
        async with aiohttp.ClientSession(timeout=limit) as session, session.get(url) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_killed_instance_is_not_restarted(how: signal.Signals, up: Up) -> None:
    """Its address refuses connections; the other instances and the testbed keep running."""
    runtime, testbed = up
    await runtime.kill("back-1", how)
    assert not psutil.pid_exists(instance(testbed, "back-1").pid)
    assert not await answers(instance(testbed, "back-1").url)
    assert await answers(testbed.gateway)


async def test_a_started_instance_has_its_address_and_environment_and_a_new_pid(up: Up) -> None:
    """It is ready when ``start`` returns, and the testbed and ``state.json`` contain the new pid."""
    runtime, before = up
    old = instance(before, "back-1")
    environment = psutil.Process(old.pid).environ()
    await runtime.kill("back-1")
    after = await runtime.start("back-1")
    new = instance(after, "back-1")
    assert (new.url, psutil.Process(new.pid).environ()) == (old.url, environment)
    assert new.pid != old.pid
    assert await answers(new.url)
    assert runtime.testbed == after
    saved = read_state(after.state)
    assert saved is not None
    assert saved.testbed == after
    assert [each.pid for each in saved.processes if each.name == "back-1"] == [new.pid]


async def test_start_need_not_wait_until_the_instance_is_ready(up: Up) -> None:
    """This is needed if the instance cannot become ready yet, e.g. without its database."""
    runtime, _ = up
    await runtime.kill("back-1")
    after = await runtime.start("back-1", wait_ready=False)
    assert psutil.pid_exists(instance(after, "back-1").pid)


async def test_a_running_instance_is_not_started_twice(up: Up) -> None:
    """The message says that it must be killed first."""
    runtime, testbed = up
    with pytest.raises(TestbedError, match=r"back-1 .* is running: kill it"):
        await runtime.start("back-1")
    assert await answers(instance(testbed, "back-1").url)


@pytest.mark.parametrize("name", ["back-2", "back", "postgres"])
async def test_an_unknown_instance_is_named(name: str, up: Up) -> None:
    """Toxiproxy and PostgreSQL are not instances, because no run can be judged without them."""
    runtime, _ = up
    with pytest.raises(TestbedError, match=rf"no instance '{name}'.*front-1, back-1"):
        await runtime.kill(name)


async def test_a_paused_instance_accepts_connections_but_does_not_respond(up: Up) -> None:
    """Its callers wait, while callers of a killed instance are refused."""
    runtime, testbed = up
    url = instance(testbed, "back-1").url
    await runtime.pause("back-1")
    limit = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=limit) as session:
        waiting = asyncio.create_task(session.get(url))
        done, _ = await asyncio.wait({waiting}, timeout=0.3)
        assert not done
        await runtime.resume("back-1")
        assert (await waiting).status == 200


async def test_an_ended_instance_cannot_be_paused(up: Up) -> None:
    """The message says that it has ended."""
    runtime, _ = up
    await runtime.kill("back-1")
    with pytest.raises(TestbedError, match=r"back-1 .* has ended"):
        await runtime.pause("back-1")


async def test_a_testbed_with_a_paused_instance_ends_at_once(
    parent: Path, standin: TestbedSpec
) -> None:
    """A stopped process would not handle SIGTERM, and its end would take the whole grace period."""
    runtime = NativeRuntime()
    await runtime.up(standin, "default", "")
    await runtime.pause("back-1")
    async with asyncio.timeout(4):
        await runtime.down()
    assert list(live_testbeds(parent)) == []


async def test_without_a_testbed_nothing_can_be_killed() -> None:
    """The message says that no testbed is up."""
    with pytest.raises(TestbedError, match="no testbed is up"):
        await NativeRuntime().kill("back-1")
