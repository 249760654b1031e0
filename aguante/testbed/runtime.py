"""The Protocol of every runtime, and the addresses of a running testbed."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol

from aguante.core.values import Value
from aguante.testbed.testbed_spec import TestbedSpec

ONE_EACH: Mapping[str, int] = MappingProxyType({})
"""Replicas by service; a service that is not listed has one."""
ProcessState = Literal["running", "stopped", "ended"]
Alive = Callable[[], bool]
"""Whether a part still runs; called five times per second, so it must not block."""


class RunningService(Value):
    """One process (or container) of a service."""

    name: str
    instance: str
    """``payments-1``: also its ``service.instance.id``."""
    url: str
    """The address of this process, not shared with replicas; no other service knows it."""
    pid: int
    """For a container: its main process, as Docker reports it; 0 while it does not run."""
    started: float
    """Process start time in epoch seconds: pid and start time together identify a process uniquely."""
    container: str = ""
    """The container's exact name; empty: a plain process."""


class RunningLink(Value):
    """One proxy."""

    name: str
    listen: str
    """``127.0.0.1:41231``: the address that the caller uses."""
    upstream: str


class RunningDatabase(Value):
    """A database address for the auditor. It bypasses the proxies, which is the one exception in the design."""

    name: str
    dsn: str


class Testbed(Value):
    """Everything that another tool needs to attach; ``aguante up --detach --json`` prints it."""

    __test__ = False

    id: str
    runtime: str
    policy: str
    gateway: str
    """Base URL of the entry link."""
    toxiproxy: str
    """Base URL of Toxiproxy's API."""
    services: tuple[RunningService, ...]
    links: tuple[RunningLink, ...]
    databases: tuple[RunningDatabase, ...]
    servers: dict[str, int]
    """Other processes, name -> pid: ``toxiproxy``, ``postgres``. For a container: as for services."""
    state: Path
    """The private folder. Logs are in ``state/logs``; Docker keeps the logs of containers."""
    prometheus: str = ""
    """Base URL of a Prometheus that scrapes the services; empty: none runs."""
    jaeger: str = ""
    """Base URL of Jaeger's page and API; empty: none runs."""
    jaeger_otlp: str = ""
    """Base URL of Jaeger's OTLP/HTTP receiver, for forwarding spans; empty: not reachable."""
    telemetry: str = ""
    """Base URL of the relay that receives the services' spans (``aguante/collect/relay.py``) and forwards them on
    ``/stream``; empty: the services post to the runner itself, or nowhere."""

    def service(self, instance: str) -> RunningService:
        """Return an instance of a service, e.g. ``payments-1``.

        Raises:
            TestbedError: there is no such instance; lists those that exist.
        """
        for each in self.services:
            if each.instance == instance:
                return each
        known = ", ".join(each.instance for each in self.services)
        message = f"there is no instance {instance!r}; there are: {known}"
        raise TestbedError(message)


class TestbedError(Exception):
    """A testbed could not be started or ended: exit code 4. The message says what, where and how to fix it."""

    __test__ = False


class ProcessControl(Protocol):
    """Control over the processes of a testbed. Instances have names like ``payments-1``."""

    @property
    def testbed(self) -> Testbed:
        """The testbed in its current state, with the pids of the processes started last."""
        ...

    async def state(self, instance: str) -> ProcessState:
        """Return the state of an instance."""
        ...

    async def kill(self, instance: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal that ends a process, and wait until it has ended; it is not restarted."""
        ...

    async def start(self, instance: str, *, wait_ready: bool = True) -> Testbed:
        """Start a process that has ended: same addresses, new pid."""
        ...

    async def pause(self, instance: str) -> None:
        """Stop a process, and wait until it has stopped: its sockets stay open, but do not respond."""
        ...

    async def resume(self, instance: str) -> None:
        """Resume a stopped process, and wait until it runs."""
        ...


class Runtime(Protocol):
    """Starts and ends one testbed, or attaches to one that is running."""

    @property
    def control(self) -> ProcessControl | None:
        """Control over this testbed's processes; None: this runtime has none."""
        ...

    async def up(
        self,
        spec: TestbedSpec,
        policy: str,
        otlp_endpoint: str,
        replicas: Mapping[str, int] = ONE_EACH,
    ) -> Testbed:
        """Start everything and wait until every service is ready.

        Args:
            spec: what to start.
            policy: name of a policy in ``spec.policies``.
            otlp_endpoint: base URL of an OTLP/HTTP collector; empty: no traces.
            replicas: replicas by service, 1 to ``REPLICAS_MAX``; a service that is not listed has one.

        Raises:
            TestbedError: a part did not start; everything started so far has been stopped.
        """
        ...

    def parts(self) -> Mapping[str, Alive]:
        """Liveness of the servers that the whole run depends on: ``toxiproxy``, ``postgres``."""
        ...

    async def save_logs(self, target: Path) -> None:
        """Write the log of every process into a folder, one file each.

        Raises:
            TestbedError: the logs cannot be read.
            OSError: the folder cannot be written.
        """
        ...

    async def down(self) -> None:
        """Stop everything that ``up`` started; idempotent, and safe after a failed ``up``."""
        ...
