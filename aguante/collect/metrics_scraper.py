"""Scrapes the metrics of every service once a second into ``metrics.jsonl``.

Each line is one scrape: ``{"at_s", "instance", "samples": {series: value}, "error"}``. A series is named as in
Prometheus (``name{label="value"}``) and is written only when its value has changed. A series that disappears is
written once, as null.
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
    """Seconds since t0 when the response arrived."""
    instance: str
    samples: dict[str, float | None]
    """Series -> value if it changed since the last scrape; null: the series is gone, or is not a number."""
    error: str = ""
    """Why the service could not be read, or empty."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One change of one series."""

    at_s: float
    instance: str
    labels: dict[str, str]
    value: float
    """NaN: the series is gone."""


class MetricsScraper:
    """Scrapes ``/metrics`` of each service at its own address, not through a proxy."""

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
                    # On whole seconds of the run's clock, so that scrapes do not drift.
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
    """Series -> value from Prometheus's text format.

    Raises:
        ValueError: a line is not a sample.
    """
    values = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            values[series] = float(value)
    return values


def changes(before: dict[str, float], after: dict[str, float]) -> dict[str, float | None]:
    """The series of ``after`` that are new or different; None for one that is gone or is not a finite number."""
    new = {
        series: value if math.isfinite(value) else None
        for series, value in after.items()
        if before.get(series) != value
    }
    return new | dict.fromkeys(before.keys() - after.keys())


def read_series(path: Path, name: str) -> Iterator[Sample]:
    """Every change of the series with exactly this sample name (suffix such as ``_total`` included), ordered by time.

    A value holds until the next change. An incomplete last line is ignored.
    """
    decoder = msgspec.json.Decoder(Scrape)
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            scrape = decoder.decode(line)
            for series, value in scrape.samples.items():
                if _is_of(series, name):
                    yield Sample(
                        at_s=scrape.at_s,
                        instance=scrape.instance,
                        labels=_labels(series),
                        value=math.nan if value is None else value,
                    )


async def spans_dropped(testbed: Testbed) -> dict[str, int | None]:
    """The current drop counter of each instance; None: it cannot be read, or the service has none."""
    async with _session() as session:
        counts = await asyncio.gather(*(_dropped_by(session, each) for each in testbed.services))
    return {each.instance: count for each, count in zip(testbed.services, counts, strict=True)}


def dropped_since(before: Mapping[str, int | None], after: Mapping[str, int | None]) -> int | None:
    """How many spans were dropped between two readings; None: not known. A counter that fell was reset to 0.

    >>> dropped_since({"a-1": 5, "b-1": 2}, {"a-1": 6, "b-1": 1})
    2
    """
    if not after or None in before.values():
        return None
    total = 0
    for instance, now in after.items():
        if now is None:
            return None
        then = before.get(instance) or 0
        total += now - then if now >= then else now
    return total


async def _dropped_by(session: aiohttp.ClientSession, service: RunningService) -> int | None:
    try:
        values = parse(await _fetch(session, service))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None
    counts = [value for series, value in values.items() if _is_of(series, SPANS_DROPPED)]
    return int(sum(counts)) if counts else None


def _is_of(series: str, name: str) -> bool:
    return series == name or series.startswith(name + "{")


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
