"""What every runtime offers, and the addresses of a testbed that is up."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from aguante.testbed import TestbedSpec
from aguante.values import Value

ONE_EACH: Mapping[str, int] = MappingProxyType({})
"""Replicas by service; a service that is not named has one."""


class RunningService(Value):
    """One process (or container) of a service."""

    name: str
    instance: str
    """``payments-1``: also its ``service.instance.id``."""
    url: str
    """Its own address, which no other service is given: of this very process, also where it has replicas."""
    pid: int
    started: float
    """Process start time, epoch seconds: pid and start time together name a process for ever."""


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
    """Other processes, name -> pid: ``toxiproxy``, ``postgres``."""
    state: Path
    """The private folder; logs are in ``state/logs``."""


class TestbedError(Exception):
    """A testbed could not be started or ended: exit code 4. The message says what, where and how to mend it."""

    __test__ = False


class Runtime(Protocol):
    """Starts and ends one testbed."""

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

    async def down(self) -> None:
        """End every process and remove the private folder; idempotent, and safe after a failed ``up``."""
        ...
