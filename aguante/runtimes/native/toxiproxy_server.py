"""The Toxiproxy of a native testbed: one proxy per link of ``links.yaml``."""

import asyncio
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from aguante.clients.toxiproxy_client import (
    NewProxy,
    NoAnswerError,
    ToxiproxyClient,
    ToxiproxyError,
)
from aguante.runtimes.ports import HOST
from aguante.runtimes.processes import Child, Command, PortTakenError, Start, died
from aguante.runtimes.servers import SERVERS, find_server
from aguante.testbed.runtime import RunningLink, TestbedError

START_LIMIT_S = 10.0
POLL_S = 0.01


async def run_toxiproxy(port: int, log: Path, start: Start, links: Sequence[RunningLink]) -> None:
    """Find toxiproxy-server, start it, wait for its API, and create the proxies.

    Raises:
        TestbedError: it was not found and cannot be built, does not start, or rejects a proxy.
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
        # Toxiproxy keeps running if its API cannot listen; only its log says so. Check the log first, because
        # another Toxiproxy may have the port and respond instead.
        if server.exit_code() is not None or "address already in use" in server.output():
            raise died(server)
        try:
            await asyncio.to_thread(client.version)
        except NoAnswerError:
            await asyncio.sleep(POLL_S)
        except ToxiproxyError as why:
            message = f"the server at {client.api} is not Toxiproxy: {why}"
            raise PortTakenError(message) from why
        else:
            return
    message = f"Toxiproxy's API did not respond within {START_LIMIT_S:g} s:\n{server.output()}"
    raise TestbedError(message)


async def make_proxies(api: str, links: Sequence[RunningLink]) -> None:
    """Create proxies; a proxy that exists with another upstream is replaced.

    Raises:
        TestbedError: Toxiproxy rejects a proxy, or does not respond.
        PortTakenError: another program has the port of a proxy.
    """
    client = ToxiproxyClient(api)
    proxies = [
        NewProxy(name=each.name, listen=each.listen, upstream=each.upstream) for each in links
    ]
    try:
        await asyncio.to_thread(client.populate, proxies)
    except ToxiproxyError as why:
        kind = PortTakenError if "address already in use" in str(why) else TestbedError
        message = f"Toxiproxy did not create the proxies of the links: {why}"
        raise kind(message) from why
