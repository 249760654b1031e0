"""What contract tests of HTTP edges share: a policy, telemetry in memory, and applications that really listen."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiohttp import web
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.kit.http.connection import Runner
from services.kit.http.server import TELEMETRY
from services.kit.process.settings import Settings
from services.kit.telemetry.metrics import Metrics
from services.kit.telemetry.telemetry import Telemetry
from services.kit.telemetry.tracing import Tracing
from services.shop.policy import Policy, load_policy

POLICIES = Path(__file__).parents[2] / "policies"


def default_policy(**changes: object) -> Policy:
    """Return the default policy with top-level fields replaced."""
    return msgspec.structs.replace(load_policy(POLICIES / "default.yaml"), **changes)


def make_settings(service: str, links: dict[str, str] | None = None) -> Settings:
    """Return the settings of a service whose links lead to ``links``."""
    policy = POLICIES / "default.yaml"
    return Settings(service, "127.0.0.1", 0, links or {}, None, policy, None, {}, "INFO")


class Watched:
    """Telemetry whose spans and metrics a test can read."""

    def __init__(self, service: str) -> None:
        self.metrics = Metrics()
        self.tracing = Tracing(service, None, {}, self.metrics)
        self._memory = InMemorySpanExporter()
        self.tracing.export_to(self._memory, self.metrics)
        self.telemetry = Telemetry(service, self.metrics, self.tracing)

    def spans(self) -> list[ReadableSpan]:
        """Flush and return the finished spans, oldest first."""
        self.tracing.shutdown()
        return list(self._memory.get_finished_spans())

    def count(self, name: str, **labels: str) -> float:
        """Return a sample's value; 0 when there is none."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    """Serve ``app`` on a free port, one of ours as a service does, and yield its address."""
    telemetry = app.get(TELEMETRY)
    if telemetry is None:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    else:
        runner = Runner(app, telemetry, shutdown_s=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def answering(handler: Callable[[web.Request], object], *paths: str) -> AsyncIterator[str]:
    """Serve one handler at every path: a fake of a callee."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    async with listening(app) as url:
        yield url
