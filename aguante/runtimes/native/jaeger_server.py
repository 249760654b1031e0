"""Jaeger beside a native testbed: it receives spans by OTLP/HTTP and keeps them in memory."""

import asyncio
from pathlib import Path

from aguante.runtimes.native.service_processes import wait_ready_at
from aguante.runtimes.ports import HOST
from aguante.runtimes.processes import Command, Start
from aguante.runtimes.servers import SERVERS, find_server

START_LIMIT_S = 15.0
TRACES_MAX = 50_000
"""Kept in memory, about 20 kB each; the oldest are dropped first."""

_UNUSED = (
    "admin.http",
    "collector.grpc-server",
    "collector.http-server",
    "collector.otlp.grpc",
    "query.grpc-server",
)
"""Ports that we do not use: any free port, on loopback only."""


async def run_jaeger(query_port: int, otlp_port: int, log: Path, start: Start) -> None:
    """Find Jaeger, start it, and wait until it accepts searches.

    Raises:
        TestbedError: it was not found and cannot be built, or does not start.
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
