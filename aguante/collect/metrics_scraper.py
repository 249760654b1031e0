"""Prometheus samples of every service, each second, into ``metrics.jsonl``: only what changed is written.

One line a scrape: ``{"at_s", "instance", "samples": {series: value}, "error"}``, where a series is the text
that Prometheus itself uses (``name{label="value"}``) and is there when its value is new. A series that a
service no longer has is written once as null.
"""

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import aiohttp
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from aguante.testbed.metric_names import SPANS_DROPPED
from aguante.testbed.runtime import RunningService, Testbed

EVERY_S = 1.0
SCRAPE_LIMIT_S = 0.5
_TEXT_FORMAT = {"Accept": "text/plain; version=0.0.4"}


class Scrape(msgspec.Struct, frozen=True, kw_only=True):
    """One line of ``metrics.jsonl``."""

    at_s: float
    """Seconds since t0, when the answer was there."""
    instance: str
    samples: dict[str, float | None]
    """Series -> value, where it changed since the last scrape; null: gone, or not a number."""
    error: str = ""
    """Why the service could not be read, or empty."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One change of one series, read back."""

    at_s: float
    instance: str
    labels: dict[str, str]
    value: float
    """NaN where the series is gone."""


class MetricsScraper:
    """Reads ``/metrics`` of each service at its own address, beside a run."""

    def __init__(self, testbed: Testbed, path: Path) -> None:
        self._services = testbed.services
        self._path = path
        self._last: dict[str, dict[str, float]] = {}

    async def run(self, now_s: Callable[[], float]) -> None:
        """Scrape once a second until cancelled; ``now_s`` gives seconds since t0.

        Raises:
            OSError: the file cannot be written.
        """
        encoder = msgspec.json.Encoder()
        async with _session() as session:
            with self._path.open("ab", buffering=0) as file:
                while True:
                    scrapes = await asyncio.gather(
                        *(self._scrape(session, service, now_s) for service in self._services)
                    )
                    file.write(b"".join(encoder.encode(scrape) + b"\n" for scrape in scrapes))
                    # whole seconds of the run's own clock, so that scrapes do not drift
                    await asyncio.sleep(EVERY_S - now_s() % EVERY_S)

    async def _scrape(
        self, session: aiohttp.ClientSession, service: RunningService, now_s: Callable[[], float]
    ) -> Scrape:
        try:
            values = parse(await _fetch(session, service))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as failure:
            why = f"{type(failure).__name__}: {failure}"
            return Scrape(at_s=now_s(), instance=service.instance, samples={}, error=why)
        before = self._last.get(service.instance, {})
        self._last[service.instance] = values
        return Scrape(at_s=now_s(), instance=service.instance, samples=changes(before, values))


def parse(text: str) -> dict[str, float]:
    """Series -> value of the plain text format; comments are left out.

    Raises:
        ValueError: a line is no sample.
    """
    values = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            values[series] = float(value)
    return values


def changes(before: dict[str, float], after: dict[str, float]) -> dict[str, float | None]:
    """What is new or different in ``after``; null for what is gone, or is not a finite number."""
    new = {
        series: value if math.isfinite(value) else None
        for series, value in after.items()
        if before.get(series) != value
    }
    return new | dict.fromkeys(before.keys() - after.keys())


def read_series(path: Path, name: str) -> Iterator[Sample]:
    """Every change of the samples called ``name`` (with its ``_bucket``, ``_total``, ...), in order of time.

    Carry a value forward until the next change. A torn last line is passed over.
    """
    decoder = msgspec.json.Decoder(Scrape)
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            scrape = decoder.decode(line)
            for series, value in scrape.samples.items():
                if series == name or series.startswith(name + "{"):
                    yield Sample(
                        at_s=scrape.at_s,
                        instance=scrape.instance,
                        labels=_labels(series),
                        value=math.nan if value is None else value,
                    )


async def spans_dropped(testbed: Testbed, name: str = SPANS_DROPPED) -> dict[str, int]:
    """The services' drop counters now, by instance; -1 where it cannot be read, or there is no such counter."""
    async with _session() as session:
        counts = await asyncio.gather(
            *(_dropped_by(session, service, name) for service in testbed.services)
        )
    return {each.instance: count for each, count in zip(testbed.services, counts, strict=True)}


def dropped_since(before: Mapping[str, int], after: Mapping[str, int]) -> int:
    """How many spans were dropped between two looks; -1: not known. A counter that fell began anew, at 0.

    >>> dropped_since({"a-1": 5, "b-1": 2}, {"a-1": 6, "b-1": 1})
    2
    """
    if not after or min((*before.values(), *after.values())) < 0:
        return -1
    since = ((count, before.get(name, 0)) for name, count in after.items())
    return sum(now - then if now >= then else now for now, then in since)


async def _dropped_by(session: aiohttp.ClientSession, service: RunningService, name: str) -> int:
    try:
        values = parse(await _fetch(session, service))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return -1
    found = [v for series, v in values.items() if series == name or series.startswith(name + "{")]
    return int(sum(found)) if found else -1


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=SCRAPE_LIMIT_S), headers=_TEXT_FORMAT
    )


async def _fetch(session: aiohttp.ClientSession, service: RunningService) -> str:
    async with session.get(f"{service.url}/metrics", raise_for_status=True) as response:
        return await response.text()


def _labels(series: str) -> dict[str, str]:
    for family in text_string_to_metric_families(f"{series} 0\n"):
        for sample in family.samples:
            return dict(sample.labels)
    return {}
