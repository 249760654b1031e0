"""A Jaeger of the testbed's own: spans in by OTLP/HTTP, searched in its page and by its API, kept in memory."""

import asyncio
from pathlib import Path

from aguante.runtimes.native.service_processes import Start, wait_ready_at
from aguante.runtimes.ports import HOST
from aguante.runtimes.processes import Command
from aguante.runtimes.servers import SERVERS, find_server

START_LIMIT_S = 15.0
TRACES_MAX = 50_000
"""In memory, about 20 kB each: the oldest go first."""

_UNUSED = (
    "admin.http",
    "collector.grpc-server",
    "collector.http-server",
    "collector.otlp.grpc",
    "query.grpc-server",
)
"""Ports that it opens and nobody here asks for: any free one, and on loopback alone."""


async def run_jaeger(query_port: int, otlp_port: int, log: Path, start: Start) -> None:
    """Find Jaeger, start it, wait until it answers searches.

    Raises:
        TestbedError: it is nowhere and cannot be built, or does not start.
        PortTakenError: another program took a port in the meantime.
    """
    binary = await asyncio.to_thread(find_server, SERVERS["jaeger"])
    command = Command(
        name="jaeger",
        argv=(
            str(binary),
            f"--memory.max-traces={TRACES_MAX}",
            f"--query.http-server.host-port={HOST}:{query_port}",
            f"--collector.otlp.http.host-port={HOST}:{otlp_port}",
            *(f"--{each}.host-port={HOST}:0" for each in _UNUSED),
            f"--http-server.host-port={HOST}:0",
            *(
                f"--processor.{each}.server-host-port={HOST}:0"
                for each in ("jaeger-binary", "jaeger-compact", "zipkin-compact")
            ),
            "--log-level=warn",
        ),
        cwd=Path("/"),
        log=log,
        env={"GOMAXPROCS": "1", "SPAN_STORAGE_TYPE": "memory"},
    )
    await wait_ready_at(start(command), f"http://{HOST}:{query_port}/api/services", START_LIMIT_S)
