"""Reads a testbed once: the ``/metrics`` of every service and the proxies of Toxiproxy, concurrently."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from aguante.clients.toxiproxy_client import ProxyState, ToxiproxyClient, ToxiproxyError
from aguante.testbed.runtime import RunningService, Testbed

RESPONSE_LIMIT_S = 0.8
"""Shorter than the second between two readings."""
SERIES_MAX = 20_000
"""Size of the cache of parsed series names; a testbed of the shop has about 3,600."""
TEXT_BYTES_MAX = 4 * 1024 * 1024
_TEXT_FORMAT = {"Accept": "text/plain; version=0.0.4"}


@dataclass(frozen=True)
class Series:
    """One series of one instance."""

    instance: str
    name: str
    labels: frozenset[tuple[str, str]]

    def label(self, name: str) -> str:
        """The value of a label; empty if it is absent."""
        return dict(self.labels).get(name, "")


@dataclass(frozen=True)
class Reading:
    """The state of a testbed at one moment."""

    at_s: float
    """The time of the reading, on the clock of the caller."""
    instances: Mapping[str, str]
    """Instance -> service, for instances that responded."""
    silent: Mapping[str, str]
    """Instance -> why it could not be read."""
    values: Mapping[Series, float]
    proxies: tuple[ProxyState, ...]
    toxiproxy: str = ""
    """Why Toxiproxy could not be read, or empty."""

    @property
    def nothing(self) -> bool:
        """Whether neither a service nor Toxiproxy responded."""
        return not self.instances and bool(self.toxiproxy)


async def read(session: aiohttp.ClientSession, testbed: Testbed, at_s: float) -> Reading:
    """Read everything within ``RESPONSE_LIMIT_S``. Never raises: failures are part of the reading."""
    client = ToxiproxyClient(testbed.toxiproxy, RESPONSE_LIMIT_S)
    pages, proxies = await asyncio.gather(
        asyncio.gather(*(_page(session, service) for service in testbed.services)),
        asyncio.to_thread(_proxies, client),
    )
    both = list(zip(testbed.services, pages, strict=True))
    return Reading(
        at_s,
        {each.instance: each.name for each, page in both if not isinstance(page, str)},
        {each.instance: page for each, page in both if isinstance(page, str)},
        {
            series: value
            for page in pages
            if not isinstance(page, str)
            for series, value in page.items()
        },
        () if isinstance(proxies, str) else proxies,
        proxies if isinstance(proxies, str) else "",
    )


def session() -> aiohttp.ClientSession:
    """The session for ``read``; the caller closes it."""
    limit = aiohttp.ClientTimeout(total=RESPONSE_LIMIT_S)
    return aiohttp.ClientSession(timeout=limit, headers=_TEXT_FORMAT)


async def _page(
    session: aiohttp.ClientSession, service: RunningService
) -> dict[Series, float] | str:
    """The series of a service, or why they could not be read."""
    try:
        async with session.get(f"{service.url}/metrics", raise_for_status=True) as response:
            return parse(service.instance, (await _bounded(response)).decode())
    except TimeoutError:
        return f"no response within {RESPONSE_LIMIT_S:g} s"
    except (aiohttp.ClientError, OSError, ValueError) as failure:
        return f"{type(failure).__name__}: {failure}"


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > TEXT_BYTES_MAX:
            message = f"more than {TEXT_BYTES_MAX} bytes"
            raise ValueError(message)
    return bytes(body)


def parse(instance: str, text: str) -> dict[Series, float]:
    """Parse a page in the Prometheus text format.

    Raises:
        ValueError: it is not in this format.
    """
    found = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        parts = _SAMPLE.fullmatch(line)
        if parts is None:
            message = f"{line[:80]!r} is not a metric sample"
            raise ValueError(message)
        found[_series(instance, parts[1])] = float(parts[2])
    return found


_SAMPLE = re.compile(r"(\S+?(?:\{.*\})?)\s+(\S+)(?:\s+-?\d+)?\s*")
"""Name with labels, value, and an optional timestamp."""


@lru_cache(maxsize=SERIES_MAX)
def _series(instance: str, text: str) -> Series:
    """Parse ``name{label="value"}``; cached, because the same thousands of names recur every second."""
    for family in text_string_to_metric_families(f"{text} 0\n"):
        for sample in family.samples:
            return Series(instance, sample.name, frozenset(sample.labels.items()))
    message = f"{text[:80]!r} does not name a series"
    raise ValueError(message)


def _proxies(client: ToxiproxyClient) -> tuple[ProxyState, ...] | str:
    try:
        return tuple(client.proxies().values())
    except ToxiproxyError as failure:
        return str(failure)
