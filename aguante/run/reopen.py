"""Reopens a past run in Prometheus and Jaeger, from the samples and spans in its folder."""

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from aguante.clients.otlp_frames import PROTOBUF
from aguante.collect.span_decoder import bodies
from aguante.run_folder.folder import RunFolder
from aguante.runtimes.native.jaeger_server import run_jaeger
from aguante.runtimes.native.prometheus_server import PrometheusFiles, run_prometheus
from aguante.runtimes.ports import HOST
from aguante.runtimes.processes import Child, Command, end, reap, spawn
from aguante.runtimes.teardown import SERVER_GRACE_S
from aguante.testbed.runtime import TestbedError

SEND_LIMIT_S = 10.0


@dataclass(frozen=True)
class Opened:
    """Base URLs of the servers that show a past run."""

    prometheus: str
    """Empty: it ran without Prometheus."""
    jaeger: str


class Servers:
    """Children of this process. The kernel ends them if this process is killed."""

    def __init__(self) -> None:
        self._children: list[Child] = []

    def start(self, command: Command) -> Child:
        """Start a server; raises TestbedError."""
        child = spawn(command, die_with_parent=True)
        self._children.append(child)
        return child

    async def end(self) -> None:
        """End all servers; raises TestbedError."""
        await end([each.ref for each in self._children], Command.end_signal, SERVER_GRACE_S)
        await reap(self._children)


@contextlib.asynccontextmanager
async def opened(folder: RunFolder) -> AsyncIterator[Opened]:
    """Both servers on free loopback ports for the time of the body.

    Raises:
        TestbedError: one cannot be found or built, does not start, or does not accept the run.
    """
    servers = Servers()
    with tempfile.TemporaryDirectory(prefix="aguante-observe-") as name:
        try:
            async with asyncio.TaskGroup() as group:
                jaeger = group.create_task(_jaeger(folder, Path(name), servers))
                prometheus = group.create_task(_prometheus(folder, Path(name), servers))
            yield Opened(prometheus.result(), jaeger.result())
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        finally:
            await servers.end()


async def _prometheus(folder: RunFolder, where: Path, servers: Servers) -> str:
    if not folder.samples.is_dir():
        return ""
    (port,) = _free_ports(1)
    config, log = where / "prometheus.yml", where / "prometheus.log"
    places = PrometheusFiles(config, folder.samples.resolve(), log)
    await run_prometheus(port, (), (), places, servers.start)
    return f"http://{HOST}:{port}"


async def _jaeger(folder: RunFolder, where: Path, servers: Servers) -> str:
    query, otlp = _free_ports(2)
    await run_jaeger(query, otlp, where / "jaeger.log", servers.start)
    await send_spans(folder, f"http://{HOST}:{otlp}")
    return f"http://{HOST}:{query}"


async def send_spans(folder: RunFolder, collector: str) -> int:
    """Send every OTLP body of a run to a collector and return their number.

    Raises:
        TestbedError: the collector refused one.
    """
    limit, sent = aiohttp.ClientTimeout(total=SEND_LIMIT_S), 0
    headers = {"Content-Type": PROTOBUF}
    async with aiohttp.ClientSession(timeout=limit, auto_decompress=False) as session:
        for body in bodies(folder.otlp):
            try:
                url = f"{collector}/v1/traces"
                async with session.post(url, data=body, headers=headers, raise_for_status=True):
                    sent += 1
            except (aiohttp.ClientError, TimeoutError) as why:
                message = f"{url} does not accept the spans of {folder.root}: {why}"
                raise TestbedError(message) from why
    return sent


def _free_ports(number: int) -> list[int]:
    """Ports that are free now; all are held until the last one is known."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in held:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in held]
