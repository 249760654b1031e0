"""Prometheus and Jaeger beside a native testbed: which are wanted, where they listen, and their start."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from aguante.runtimes.base import TestbedError
from aguante.runtimes.processes import Child, died
from aguante.servers import SERVERS, ServerMissingError, find_server

OBSERVERS = ("prometheus", "jaeger")
POLL_S = 0.02
ANSWER_LIMIT_S = 2.0


@dataclass(frozen=True)
class Observers:
    """What watches a testbed besides the runner.

    Raises:
        TestbedError: a name that is none.
    """

    names: frozenset[str] = frozenset()
    samples: Path | None = None
    """Where Prometheus keeps its samples; with the testbed's own data when None, and removed with it."""

    def __post_init__(self) -> None:
        """Refuse what we cannot start."""
        for name in sorted(self.names):
            if name not in OBSERVERS:
                message = f"nobody called {name!r} can watch a testbed: there are {' and '.join(OBSERVERS)}"
                raise TestbedError(message)

    @property
    def ports(self) -> Sequence[str]:
        """The names of the ports that they take."""
        wanted = {"prometheus": ("prometheus",), "jaeger": ("jaeger", "jaeger-otlp")}
        return tuple(port for name in OBSERVERS if name in self.names for port in wanted[name])


NOBODY = Observers()


def addresses(host: str, ports: Mapping[str, int]) -> dict[str, str]:
    """The fields of a Testbed that tell where they are."""
    fields = {"prometheus": "prometheus", "jaeger": "jaeger", "jaeger-otlp": "jaeger_otlp"}
    return {fields[name]: f"http://{host}:{port}" for name, port in ports.items()}


async def find_observer(name: str) -> Path:
    """Its program, found or built.

    Raises:
        TestbedError: it is nowhere and cannot be built.
    """
    try:
        return await asyncio.to_thread(find_server, SERVERS[name])
    except ServerMissingError as why:
        raise TestbedError(str(why)) from why


async def wait_until_it_answers(child: Child, url: str, limit_s: float) -> None:
    """Wait for a 200.

    Raises:
        TestbedError: the process ended, or did not answer in time.
        PortTakenError: it ended because its port was taken.
    """
    deadline = time.monotonic() + limit_s
    limit = aiohttp.ClientTimeout(total=ANSWER_LIMIT_S)
    async with aiohttp.ClientSession(timeout=limit) as session:
        while time.monotonic() < deadline:
            if child.exit_code() is not None:
                raise died(child)
            if await _answers(session, url):
                return
            await asyncio.sleep(POLL_S)
    message = f"{child.ref.name} did not answer at {url} within {limit_s:g} s:\n{child.output()}"
    raise TestbedError(message)


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
