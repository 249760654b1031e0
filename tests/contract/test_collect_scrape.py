"""The scraper against real HTTP and what prometheus-client writes."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, generate_latest

from aguante.collect.metrics_scraper import (
    MetricsScraper,
    dropped_since,
    read_series,
    spans_dropped,
)
from aguante.testbed.runtime import RunningService, Testbed


class Service:
    """One service's metrics page."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.dropped = Counter("aguante_spans_dropped", "x", ("reason",), registry=self.registry)
        self.dropped.labels("queue_full")
        self.dropped.labels("export_failed")
        self.delay_s = 0.0

    async def metrics(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self.delay_s)
        return web.Response(body=generate_latest(self.registry), content_type="text/plain")


@contextlib.asynccontextmanager
async def testbed_of(*services: Service) -> AsyncIterator[Testbed]:
    async with contextlib.AsyncExitStack() as stack:
        running = []
        for n, service in enumerate(services):
            app = web.Application()
            app.router.add_get("/metrics", service.metrics)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            running.append(RunningService(name="s", instance=f"s-{n}", url=url, pid=1, started=0.0))
        yield Testbed(
            id="t",
            runtime="native",
            policy="default",
            gateway="",
            toxiproxy="",
            services=tuple(running),
            links=(),
            databases=(),
            servers={},
            state=Path(),
        )


testbed_of.__test__ = False  # type: ignore[attr-defined]  # it only begins like one


async def test_changes_are_stored_each_second_and_failures_are_noted(tmp_path: Path) -> None:
    """A counter's changes have their times; a service that does not respond delays others by at most half a second."""
    path = tmp_path / "metrics.jsonl"
    good, silent = Service(), Service()
    silent.delay_s = 60.0
    began_s = time.monotonic()
    async with testbed_of(good, silent) as testbed:
        work = MetricsScraper(testbed, path).run(lambda: time.monotonic() - began_s)
        task = asyncio.ensure_future(work)
        await until(lambda: ("s-0", "export_failed", 0.0) in steps_in(path))
        changed_s = time.monotonic() - began_s
        good.dropped.labels("queue_full").inc(5)
        await until(lambda: ("s-0", "queue_full", 5.0) in steps_in(path))
        await until(lambda: path.read_text().count("Timeout") >= 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert steps_in(path) == [
        ("s-0", "queue_full", 0.0),
        ("s-0", "export_failed", 0.0),
        ("s-0", "queue_full", 5.0),
    ]
    seen_s = [s.at_s for s in read_series(path, "aguante_spans_dropped_total")][-1]
    assert changed_s <= seen_s < changed_s + 10.0  # far less than the silent one takes


def steps_in(path: Path) -> list[tuple[str, str, float]]:
    """The stored changes of the drop counters, in order."""
    if not path.exists():
        return []
    return [
        (sample.instance, sample.labels["reason"], sample.value)
        for sample in read_series(path, "aguante_spans_dropped_total")
    ]


async def until(come: Callable[[], bool]) -> None:
    """Wait until it is true."""
    async with asyncio.timeout(20):
        while not come():  # noqa: ASYNC110 - a file sends no events
            await asyncio.sleep(0.02)


async def test_dropped_spans_are_summed_over_services_and_reasons() -> None:
    """The sum has all drop counters of all services."""
    one, two = Service(), Service()
    one.dropped.labels("queue_full").inc(2)
    one.dropped.labels("export_failed").inc(3)
    two.dropped.labels("queue_full").inc(4)
    async with testbed_of(one, two) as testbed:
        assert dropped_since({}, await spans_dropped(testbed)) == 9


async def test_dropped_spans_are_unknown_if_a_service_is_silent_or_has_no_counter() -> None:
    """Unknown is never zero."""
    silent, without = Service(), Service()
    silent.delay_s = 60.0
    without.registry = CollectorRegistry()
    async with testbed_of(Service(), silent) as testbed:
        assert dropped_since({}, await spans_dropped(testbed)) is None
    async with testbed_of(Service(), without) as testbed:
        assert dropped_since({}, await spans_dropped(testbed)) is None
