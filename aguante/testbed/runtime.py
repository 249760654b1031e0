"""What every runtime offers, and the addresses of a testbed that is up."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol

from aguante.core.values import Value
from aguante.testbed.testbed_spec import TestbedSpec

ONE_EACH: Mapping[str, int] = MappingProxyType({})
"""Replicas by service; a service that is not named has one."""
ProcessState = Literal["running", "stopped", "ended"]
Alive = Callable[[], bool]
"""Whether a part still runs; asked five times a second, so it must answer at once."""


class RunningService(Value):
    """One process (or container) of a service."""

    name: str
    instance: str
    """``payments-1``: also its ``service.instance.id``."""
    url: str
    """Its own address, which no other service is given: of this very process, also where it has replicas."""
    pid: int
    """Of a container: its main process, as Docker tells it; 0 while it does not run."""
    started: float
    """Process start time, epoch seconds: pid and start time together name a process for ever."""
    container: str = ""
    """The container's exact name; empty: a plain process."""


class RunningLink(Value):
    """One proxy."""

    name: str
    listen: str
    """``127.0.0.1:41231``: what the caller is given."""
    upstream: str


class RunningDatabase(Value):
    """The auditor's own way in, around the proxies: the one stated exception of the design."""

    name: str
    dsn: str


class Testbed(Value):
    """All that another tool needs to attach; printed by ``aguante up --detach --json``."""

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
    """Other processes, name -> pid: ``toxiproxy``, ``postgres``. Of a container: as for services."""
    state: Path
    """The private folder; logs are in ``state/logs``, those of containers with Docker."""
    prometheus: str = ""
    """Base URL of a Prometheus that scrapes the services; empty: there is none."""
    jaeger: str = ""
    """Base URL of a Jaeger's page and API; empty: there is none."""
    jaeger_otlp: str = ""
    """Base URL of its OTLP/HTTP, where whoever gathers spans may hand them on; empty: not to be reached."""
    telemetry: str = ""
    """Base URL of the relay that the services post their spans to (``aguante/collect/relay.py``), whose
    ``/stream`` gives them on; empty: they post to the runner itself, or to nobody."""


class TestbedError(Exception):
    """A testbed could not be started or ended: exit code 4. The message says what, where and how to fix it."""

    __test__ = False


class ProcessControl(Protocol):
    """What a runtime offers that can break its own processes. Each instance is named ``payments-1``."""

    @property
    def testbed(self) -> Testbed:
        """The testbed as it stands now, with the pids of what was started last."""
        ...

    async def state(self, instance: str) -> ProcessState:
        """Whether it runs, stands still, or has ended."""
        ...

    async def kill(self, instance: str, how: signal.Signals = signal.SIGKILL) -> None:
        """End a process and wait for its end; nobody starts it again."""
        ...

    async def start(self, instance: str, *, wait_ready: bool = True) -> Testbed:
        """Start an ended process again: same addresses, a new pid."""
        ...

    async def pause(self, instance: str) -> None:
        """Stop it in its tracks, and wait until it stands still: its sockets stay open, nobody answers."""
        ...

    async def resume(self, instance: str) -> None:
        """Let it go on, and wait until it runs."""
        ...


class Runtime(Protocol):
    """Starts and ends one testbed, or borrows one that runs."""

    @property
    def control(self) -> ProcessControl | None:
        """What can break processes of this testbed; None: nothing can."""
        ...

    async def up(
        self,
        spec: TestbedSpec,
        policy: str,
        otlp_endpoint: str,
        replicas: Mapping[str, int] = ONE_EACH,
    ) -> Testbed:
        """Start everything and wait until it can serve.

        Args:
            spec: what to start.
            policy: name of a policy in ``spec.policies``.
            otlp_endpoint: base address of an OTLP/HTTP collector, or empty for no traces.
            replicas: how many of each service, 1 to ``REPLICAS_MAX``; one where it is not named.

        Raises:
            TestbedError: something did not come up; all that had been started is taken down again.
        """
        ...

    def parts(self) -> Mapping[str, Alive]:
        """What the whole run rests on besides the services: ``toxiproxy``, ``postgres``."""
        ...

    async def save_logs(self, target: Path) -> None:
        """Write the logs of every process into a folder, one file each.

        Raises:
            TestbedError: they cannot be had.
            OSError: the folder cannot be written.
        """
        ...

    async def down(self) -> None:
        """End everything that ``up`` started; idempotent, and safe after a failed ``up``."""
        ...
