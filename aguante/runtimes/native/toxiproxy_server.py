"""The testbed's own Toxiproxy: one proxy per link of ``links.yaml``."""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from aguante.clients.toxiproxy_client import (
    NewProxy,
    NoAnswerError,
    ToxiproxyClient,
    ToxiproxyError,
)
from aguante.runtimes.ports import HOST
from aguante.runtimes.processes import Child, Command, PortTakenError, died
from aguante.runtimes.servers import SERVERS, find_server
from aguante.testbed.runtime import RunningLink, TestbedError

START_LIMIT_S = 10.0
POLL_S = 0.01

Start = Callable[[Command], Child]


async def run_toxiproxy(port: int, log: Path, start: Start, links: Sequence[RunningLink]) -> None:
    """Find toxiproxy-server, start it, wait for its API, make the proxies.

    Raises:
        TestbedError: it is nowhere and cannot be built, does not start, or refuses a proxy.
        PortTakenError: another program took a port in the meantime.
    """
    binary = await asyncio.to_thread(find_server, SERVERS["toxiproxy"])
    command = Command(
        name="toxiproxy",
        argv=(str(binary), "-host", HOST, "-port", str(port), "-proxy-metrics", "-runtime-metrics"),
        cwd=Path("/"),
        log=log,
        env={"LOG_LEVEL": "info"},
        end_signal=signal.SIGTERM,
    )
    server = start(command)
    client = ToxiproxyClient(f"http://{HOST}:{port}")
    await _wait_for_api(server, client)
    await make_proxies(client.api, links)


async def _wait_for_api(server: Child, client: ToxiproxyClient) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        # Toxiproxy goes on running when its API cannot listen: its log alone says so. Looked at first,
        # since whoever has the port may answer like one of us.
        if server.exit_code() is not None or "address already in use" in server.output():
            raise died(server)
        try:
            await asyncio.to_thread(client.version)
        except NoAnswerError:
            await asyncio.sleep(POLL_S)
        except ToxiproxyError as why:
            message = f"what answers at {client.api} is no Toxiproxy: {why}"
            raise PortTakenError(message) from why
        else:
            return
    message = f"Toxiproxy's API did not answer within {START_LIMIT_S:g} s:\n{server.output()}"
    raise TestbedError(message)


async def make_proxies(api: str, links: Sequence[RunningLink]) -> None:
    """Make proxies; one that is there and leads elsewhere is made anew.

    Raises:
        TestbedError: Toxiproxy refuses one, or does not answer.
        PortTakenError: another program has the port of one.
    """
    client = ToxiproxyClient(api)
    proxies = [
        NewProxy(name=each.name, listen=each.listen, upstream=each.upstream) for each in links
    ]
    try:
        await asyncio.to_thread(client.populate, proxies)
    except ToxiproxyError as why:
        kind = PortTakenError if "address already in use" in str(why) else TestbedError
        message = f"Toxiproxy did not make the proxies of the links: {why}"
        raise kind(message) from why
