"""The Toxiproxy driver against a real Toxiproxy, and against one that is silent or wrong."""

import asyncio
import contextlib
import json
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest
from aiohttp import web
from toxiproxy.api import APIConsumer

from aguante.clients.toxiproxy_client import (
    NewProxy,
    NoAnswerError,
    ToxicState,
    ToxiproxyClient,
    ToxiproxyError,
)
from aguante.drivers.driver import FaultError
from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.toxiproxy import TOXICS, ToxiproxyFault, ToxiproxyUndo

RUN = "20300101T000000-test-00ff"
UNDELAYED_S = 0.25
VALID: Mapping[str, Mapping[str, int]] = {
    "latency": {"latency": 300, "jitter": 10},
    "bandwidth": {"rate": 5},
    "slow_close": {"delay": 100},
    "timeout": {"timeout": 100},
    "reset_peer": {},
    "slicer": {"average_size": 4},
    "limit_data": {"bytes": 3},
    "down": {},
}


def planned(toxic: str, attributes: Mapping[str, int], link: str = "a-b") -> PlannedFault:
    fault = ToxiproxyFault(link=link, toxic=toxic, attributes=tuple(attributes.items()))
    return PlannedFault(id="bad-net", fault=fault, start_s=0, end_s=1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One toxiproxy-server."""

    def __init__(self, binary: Path) -> None:
        port = free_port()
        command = [binary, "-host", "127.0.0.1", "-port", str(port)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.client = ToxiproxyClient(f"http://127.0.0.1:{port}")
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(NoAnswerError):
                self.version = self.client.version()
                break
            assert time.monotonic() < deadline, "toxiproxy-server does not start"
            time.sleep(0.01)

    def add_proxy(self, name: str, upstream: int) -> int:
        port = free_port()
        self.client.populate(
            [NewProxy(name=name, listen=f"127.0.0.1:{port}", upstream=f"127.0.0.1:{upstream}")]
        )
        return port

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def start(toxiproxy_binary: Path) -> Iterator[Callable[[], Server]]:
    """Start a Toxiproxy for one test."""
    servers: list[Server] = []

    def begin() -> Server:
        servers.append(Server(toxiproxy_binary))
        return servers[-1]

    yield begin
    for server in servers:
        server.end()


@pytest.fixture(scope="module")
def server(toxiproxy_binary: Path) -> Iterator[Server]:
    """One Toxiproxy, shared by the tests that leave it unchanged."""
    server = Server(toxiproxy_binary)
    yield server
    server.end()


@pytest.fixture(scope="module")
async def echo() -> AsyncIterator[int]:
    """The port of an echo server."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1]


@pytest.fixture(scope="module")
def proxied(server: Server, echo: int) -> int:
    """The port of the proxy ``a-b``, in front of the echo."""
    return server.add_proxy("a-b", echo)


async def ping(port: int, size: int = 8, limit_s: float = 2.0) -> float:
    """Return the seconds until ``size`` bytes came back.

    Raises:
        ConnectionError: refused, reset, or closed before all came back.
        TimeoutError: they did not come in time.
    """
    began = time.monotonic()
    async with asyncio.timeout(limit_s):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"x" * size)
            await writer.drain()
            try:
                await reader.readexactly(size)
            except asyncio.IncompleteReadError as why:
                raise ConnectionResetError from why
        finally:
            writer.close()
    return time.monotonic() - began


async def passes(port: int) -> bool:
    """Whether one of a few pings is well below the latency of any fault here: a busy machine delays one, not all."""
    return any([await ping(port) < UNDELAYED_S for _ in range(5)])


def test_the_built_server_says_its_version(server: Server) -> None:
    """The one that the project builds reports 2.12.x, not ``git``."""
    assert server.version.startswith("2.12.")


@pytest.mark.parametrize("toxic", TOXICS)
async def test_each_fault_is_applied_and_undone(toxic: str, server: Server, proxied: int) -> None:
    """It is applied, observed, undone and verified; each step is idempotent."""
    driver = ToxiproxyDriver(server.client.api, RUN)
    fault = planned(toxic, VALID[toxic])
    undo = await driver.prepare(fault)
    for _ in range(2):
        await driver.apply(fault)
    assert await driver.evidence(fault) != await _quiet_evidence(server, toxic)
    with pytest.raises(FaultError, match="still active"):
        await driver.verify(undo)
    for _ in range(2):
        await driver.undo(undo)
        await driver.verify(undo)
    assert await driver.evidence(fault) == await _quiet_evidence(server, toxic)
    assert await passes(proxied)


async def _quiet_evidence(server: Server, toxic: str) -> str:
    fault = planned(toxic, VALID[toxic])
    return "a-b: enabled" if toxic == "down" else f"a-b: enabled, no toxic {RUN}.{fault.id}"


async def test_evidence_quotes_what_toxiproxy_reports(server: Server, proxied: int) -> None:
    """Type, stream, share and attributes, in one line."""
    driver, fault = ToxiproxyDriver(server.client.api, RUN), planned("latency", VALID["latency"])
    undo = await driver.prepare(fault)
    await driver.apply(fault)
    seen = await driver.evidence(fault)
    await driver.undo(undo)
    assert seen == "a-b: enabled, latency downstream toxicity=1 jitter=10 latency=300"


async def test_latency_delays_and_its_removal_ends_that(server: Server, proxied: int) -> None:
    """The fault slows the traffic until it is undone."""
    driver, fault = ToxiproxyDriver(server.client.api, RUN), planned("latency", {"latency": 300})
    undo = await driver.prepare(fault)
    await driver.apply(fault)
    slow = await ping(proxied)
    await driver.undo(undo)
    assert slow >= 0.29
    assert await passes(proxied)


async def test_down_refuses_and_cuts(server: Server, proxied: int) -> None:
    """New connections are refused, live ones are cut."""
    driver, fault = ToxiproxyDriver(server.client.api, RUN), planned("down", {})
    undo = await driver.prepare(fault)
    reader, writer = await asyncio.open_connection("127.0.0.1", proxied)
    await driver.apply(fault)
    assert await asyncio.wait_for(reader.read(), 2) == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await ping(proxied)
    await driver.undo(undo)
    assert await passes(proxied)


async def test_undoing_a_toxic_does_not_enable_a_link_that_is_down(
    server: Server, proxied: int
) -> None:
    """Two faults may overlap on one link; each undoes its own part."""
    driver = ToxiproxyDriver(server.client.api, RUN)
    slow, down = planned("latency", {"latency": 1}), planned("down", {})
    undo_slow, undo_down = await driver.prepare(slow), await driver.prepare(down)
    await driver.apply(slow)
    await driver.apply(down)
    await driver.undo(undo_slow)
    await driver.verify(undo_slow)
    with pytest.raises(ConnectionRefusedError):
        await ping(proxied)
    await driver.undo(undo_down)
    assert await passes(proxied)


async def test_an_unknown_link_lists_those_there_are(server: Server, proxied: int) -> None:
    """Nothing is changed, and the message lists the proxies."""
    with pytest.raises(FaultError, match=r"there is no proxy a-c; there are a-b"):
        await ToxiproxyDriver(server.client.api, RUN).prepare(planned("down", {}, link="a-c"))


async def test_a_link_that_is_down_already_is_refused(server: Server, proxied: int) -> None:
    """A fault on it would prove nothing, and its undo would restore a state that never existed."""
    server.client.set_enabled("a-b", False)
    try:
        with pytest.raises(FaultError, match="disabled before anything was injected"):
            await ToxiproxyDriver(server.client.api, RUN).prepare(planned("down", {}))
    finally:
        server.client.set_enabled("a-b", True)


@pytest.mark.parametrize(
    ("toxic", "attributes"),
    [("bandwidth", {"rate": -1}), ("slicer", {}), ("slicer", {"average_size": 0})],
)
async def test_values_that_would_crash_toxiproxy_are_never_sent(
    toxic: str, attributes: Mapping[str, int], server: Server, proxied: int
) -> None:
    """Refused before anything is changed; the message names the bound."""
    with pytest.raises(FaultError, match=r"\d+ to \d+"):
        await ToxiproxyDriver(server.client.api, RUN).prepare(planned(toxic, attributes))
    assert server.process.poll() is None


@pytest.mark.parametrize(
    ("toxic", "attributes"),
    [
        ("bandwidth", {"rate": -1}),
        # An average of 0 crashes it too, but takes 4 s and a gigabyte until the stack overflows.
        ("slicer", {"average_size": 1, "size_variation": 10, "delay": 0}),
    ],
)
async def test_such_values_do_crash_toxiproxy(
    toxic: str, attributes: dict[str, int], start: Callable[[], Server], echo: int
) -> None:
    """Why such values are refused: the whole server ends, with all its links."""
    server = start()
    port = server.add_proxy("a-b", echo)
    toxic_state = ToxicState(
        name="x", type=toxic, stream="downstream", toxicity=1, attributes=attributes
    )
    server.client.add_toxic("a-b", toxic_state)
    with contextlib.suppress(ConnectionError, TimeoutError):
        await ping(port, size=5000)
    assert await asyncio.to_thread(server.process.wait, 5) == 2


def extremes() -> Iterator[tuple[str, dict[str, int]]]:
    """Each toxic with all attributes at their lowest, and at their highest."""
    for kind in TOXICS.values():
        if kind.options:
            yield kind.name, {each.name: each.bounds[0] for each in kind.options}
            yield kind.name, {each.name: each.bounds[1] for each in kind.options}


@pytest.mark.parametrize(("toxic", "attributes"), list(extremes()))
async def test_values_at_our_bounds_do_not_crash_toxiproxy(
    toxic: str, attributes: dict[str, int], start: Callable[[], Server], echo: int
) -> None:
    """The table allows no value that harms the server under traffic."""
    assert planned(toxic, attributes).of(ToxiproxyFault).problems() == []
    server = start()
    port = server.add_proxy("a-b", echo)
    driver = ToxiproxyDriver(server.client.api, RUN)
    await driver.apply(planned(toxic, attributes))
    with contextlib.suppress(ConnectionError, TimeoutError):
        await ping(port, size=70_000, limit_s=0.3)
    assert server.client.version()
    assert server.process.poll() is None


async def test_two_toxiproxies_are_driven_at_once(start: Callable[[], Server], echo: int) -> None:
    """The library has one address per process; two testbeds in one process are still separate."""
    servers = [start(), start()]
    ports = [server.add_proxy("a-b", echo) for server in servers]
    drivers = [ToxiproxyDriver(server.client.api, RUN) for server in servers]
    first = planned("latency", {"latency": 300})
    await asyncio.gather(
        drivers[0].apply(first),
        *(drivers[1].prepare(first) for _ in range(20)),
        *(drivers[0].evidence(first) for _ in range(20)),
    )
    assert "no toxic" not in await drivers[0].evidence(first)
    assert "no toxic" in await drivers[1].evidence(first)
    assert await ping(ports[0]) > 0.29
    assert await passes(ports[1])
    assert (APIConsumer.host, APIConsumer.port) == ("127.0.0.1", 8474)


async def test_a_proxy_of_the_environment_is_not_used(
    server: Server, proxied: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An HTTP proxy of the environment is not used on loopback."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert await asyncio.to_thread(server.client.version)


# A Toxiproxy that is not well ---------------------------------------------------------------------


@contextlib.asynccontextmanager
async def ailing(*routes: web.RouteDef) -> AsyncIterator[str]:
    """Start a server with these routes; return its base URL."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def never(request: web.Request) -> web.Response:
    """Accept the request and never respond."""
    await asyncio.sleep(30)
    return web.Response()


def undo_at(api: str) -> ToxiproxyUndo:
    return ToxiproxyUndo(fault_id="bad-net", api=api, proxy="a-b", toxic=f"{RUN}.bad-net")


async def at_once(_: float) -> None:
    """Return at once."""
    await asyncio.sleep(0)


async def test_a_silent_server_is_given_up() -> None:
    """Each call has its own limit, and the error names the address that did not respond."""
    async with ailing(web.route("*", "/{any:.*}", never)) as api:
        driver = ToxiproxyDriver(api, RUN, call_limit_s=0.1, removal_limit_s=0.3)
        fault = planned("down", {})
        for step in (driver.prepare(fault), driver.apply(fault), driver.undo(undo_at(api))):
            began = time.monotonic()
            with pytest.raises(FaultError, match="bad-net"):
                await step
            assert time.monotonic() - began < 2
        with pytest.raises(FaultError, match=f"{api} gave no answer"):
            await driver.verify(undo_at(api))
        assert "not known" in await driver.evidence(fault)


def removing(reads_until_gone: int) -> list[web.RouteDef]:
    """Update and removal hang; the toxic shows for so many reads."""
    reads = iter(range(1_000_000))

    async def show(_: web.Request) -> web.Response:
        gone = next(reads) >= reads_until_gone
        toxic = {"name": undo_at("").toxic, "type": "latency", "stream": "downstream"}
        whole = {**toxic, "toxicity": 1, "attributes": {"latency": 1}}
        proxy = {"name": "a-b", "listen": "x", "upstream": "y", "enabled": True}
        return web.json_response({**proxy, "toxics": [] if gone else [whole]})

    return [web.route("*", "/proxies/a-b/toxics/{toxic}", never), web.get("/proxies/a-b", show)]


async def test_a_removal_that_hangs_is_read_back() -> None:
    """Toxiproxy continues to remove the toxic after the call has timed out; it is undone once the toxic is gone."""
    async with ailing(*removing(reads_until_gone=3)) as api:
        driver = ToxiproxyDriver(api, RUN, call_limit_s=0.5, sleep=at_once)
        await driver.undo(undo_at(api))
        await driver.verify(undo_at(api))


async def test_a_removal_that_never_ends_is_an_error() -> None:
    """The error says what is stuck and what to do."""
    async with ailing(*removing(reads_until_gone=1_000_000)) as api:
        driver = ToxiproxyDriver(api, RUN, call_limit_s=0.1, removal_limit_s=0.2)
        with pytest.raises(FaultError, match=r"did not remove .*restart the testbed"):
            await driver.undo(undo_at(api))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (web.Response(status=500, text="out of goroutines"), "500 out of goroutines"),
        (web.Response(text="<html>"), "an unexpected answer"),
        (web.Response(text=json.dumps({"proxy": 1})), "an unexpected answer"),
    ],
)
async def test_an_answer_of_a_wrong_kind_is_an_error(answer: web.Response, said: str) -> None:
    """The library treats every status except three as a success; the client does not."""

    async def respond(_: web.Request) -> web.Response:
        return web.Response(status=answer.status, body=answer.body)

    async with ailing(web.route("*", "/{any:.*}", respond)) as api:
        with pytest.raises(FaultError, match=said):
            await ToxiproxyDriver(api, RUN).verify(undo_at(api))


async def test_an_undo_heals_the_toxiproxy_it_names(start: Callable[[], Server], echo: int) -> None:
    """A later run heals what a killed one left, with the journal alone."""
    left_behind = start()
    left_behind.add_proxy("a-b", echo)
    fault = planned("latency", {"latency": 1})
    killed = ToxiproxyDriver(left_behind.client.api, RUN)
    undo = await killed.prepare(fault)
    await killed.apply(fault)
    later = ToxiproxyDriver("http://127.0.0.1:9", "another-run")
    await later.undo(undo)
    await later.verify(undo)
    assert "no toxic" in await killed.evidence(fault)


def test_an_api_that_is_no_address_is_refused() -> None:
    """The message says what is expected."""
    with pytest.raises(ValueError, match=r"give http://HOST:PORT"):
        ToxiproxyClient("127.0.0.1:8474")


async def test_update_changes_a_toxic_in_place(server: Server, proxied: int) -> None:
    """A toxic gets new attributes, which the library cannot do."""
    toxic = ToxicState(
        name="t", type="latency", stream="downstream", toxicity=1, attributes={"latency": 5}
    )
    server.client.add_toxic("a-b", toxic)
    try:
        changed = toxic.model_copy(update={"attributes": {"latency": 7}})
        server.client.update_toxic("a-b", changed)
        assert server.client.proxy("a-b").toxics[0].attributes["latency"] == 7
        with pytest.raises(ToxiproxyError):
            server.client.update_toxic("a-b", toxic.model_copy(update={"name": "other"}))
    finally:
        server.client.remove_toxic("a-b", "t")


async def test_a_toxic_whose_clients_are_gone_is_removed_at_once(
    start: Callable[[], Server], echo: int
) -> None:
    """Otherwise Toxiproxy waits 5 s for each chunk that it holds back, and accepts no connection meanwhile."""
    server = start()
    port = server.add_proxy("a-b", echo)
    driver, fault = ToxiproxyDriver(server.client.api, RUN), planned("latency", {"latency": 400})
    undo = await driver.prepare(fault)
    await driver.apply(fault)
    impatient = [asyncio.create_task(_leave_early(port)) for _ in range(20)]
    await asyncio.gather(*impatient)
    began = time.monotonic()
    await driver.undo(undo)
    await driver.verify(undo)
    assert time.monotonic() - began < 2
    assert await passes(port)


async def _leave_early(port: int) -> None:
    """Request many responses, then reset the connection."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(10):
        writer.write(b"x" * 2000)
        await asyncio.sleep(0.02)
    writer.transport.abort()
    await asyncio.sleep(0.1)
