"""A small runtime of real processes for the process driver, and a simulated one."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import psutil

from aguante.clients.readiness import is_ready
from aguante.runtimes.processes import ProcessRef, process_state
from aguante.testbed.runtime import ProcessState, RunningService, Testbed, TestbedError

SERVER = """
import http.server, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/up" else 404)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""
READY_PATHS = {"payments": "/up", "inventory": "/up"}
INSTANCES = ("payments-1", "payments-2", "inventory-1")


def testbed_of(services: tuple[RunningService, ...]) -> Testbed:
    return Testbed(
        id="t1",
        runtime="native",
        policy="default",
        gateway="",
        toxiproxy="",
        services=services,
        links=(),
        databases=(),
        servers={},
        state=Path(),
    )


def service(instance: str, url: str, pid: int, started: float) -> RunningService:
    name = instance.rpartition("-")[0]
    return RunningService(name=name, instance=instance, url=url, pid=pid, started=started)


class InMemory:
    """Simulated processes."""

    def __init__(self) -> None:
        self.states: dict[str, ProcessState] = dict.fromkeys(INSTANCES, "running")
        self.pids = dict(zip(INSTANCES, range(100, 103), strict=True))
        self.never_ready = False

    @property
    def testbed(self) -> Testbed:
        return testbed_of(tuple(service(n, n, self.pids[n], 0.0) for n in INSTANCES))

    async def kill(self, instance: str, how: signal.Signals = signal.SIGKILL) -> None:
        self.states[instance] = "ended"

    async def start(self, instance: str, *, wait_ready: bool = True) -> Testbed:
        if self.states[instance] != "ended":
            message = f"{instance} runs"
            raise TestbedError(message)
        self.states[instance], self.pids[instance] = "running", self.pids[instance] + 1000
        return self.testbed

    async def pause(self, instance: str) -> None:
        if self.states[instance] == "ended":
            message = f"{instance} has ended"
            raise TestbedError(message)
        self.states[instance] = "stopped"

    async def resume(self, instance: str) -> None:
        self.states[instance] = "running"

    async def end(self) -> None:
        """Nothing to clean up."""

    async def state(self, instance: str) -> ProcessState:
        return self.states[instance]

    async def ready(self, url: str) -> bool:
        return self.states[url.removesuffix("/up")] == "running" and not self.never_ready


class Real:
    """The smallest runtime: HTTP servers that are ready as soon as they listen."""

    def __init__(self) -> None:
        self.never_ready = False
        self._ports = {name: free_port() for name in INSTANCES}
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._services: dict[str, RunningService] = {}

    async def state(self, instance: str) -> ProcessState:
        one = self._services[instance]
        return process_state(ProcessRef(name=instance, pid=one.pid, started=one.started))

    @property
    def testbed(self) -> Testbed:
        return testbed_of(tuple(self._services[name] for name in INSTANCES))

    async def kill(self, instance: str, how: signal.Signals = signal.SIGKILL) -> None:
        self._children[instance].send_signal(how)
        await self._children[instance].wait()

    async def start(self, instance: str, *, wait_ready: bool = True) -> Testbed:
        port = self._ports[instance]
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVER, str(port))
        self._children[instance] = child
        url, started = f"http://127.0.0.1:{port}", psutil.Process(child.pid).create_time()
        self._services[instance] = service(instance, url, child.pid, started)
        return testbed_of(tuple(self._services.values()))

    async def pause(self, instance: str) -> None:
        await self._signal(instance, signal.SIGSTOP, "stopped")

    async def resume(self, instance: str) -> None:
        await self._signal(instance, signal.SIGCONT, "running")

    async def _signal(self, instance: str, how: signal.Signals, wanted: ProcessState) -> None:
        child = self._children[instance]
        if child.returncode is not None:
            message = f"{instance} has ended"
            raise TestbedError(message)
        os.kill(child.pid, how)
        for _ in range(200):
            if await self.state(instance) == wanted:
                return
            await asyncio.sleep(0.01)

    async def ready(self, url: str) -> bool:
        return not self.never_ready and await is_ready(url)

    async def end(self) -> None:
        for child in self._children.values():
            if child.returncode is None:
                child.kill()
                await child.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
