"""The composition root of reservations: everything is made and wired here."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from aiohttp import ClientSession, web
from opentelemetry import trace
from opentelemetry.trace import SpanContext, TraceFlags

from services.kit.database.pool import Database
from services.kit.failures.expected import NO_ANSWER, OF_READS, OF_WRITES, Failures
from services.kit.failures.problem import Mechanism
from services.kit.http.client import Link, make_session
from services.kit.http.server import READY_CHECKS, make_app
from services.kit.patterns.retry import Retry
from services.kit.policy.sections import LinkPolicy, Policy
from services.kit.process.settings import Settings
from services.kit.telemetry.telemetry import Telemetry
from services.kit.telemetry.tracing import Tracing
from services.reservations import handlers
from services.reservations.clients import (
    CALLS,
    InventoryClient,
    NotificationsClient,
    PaymentsClient,
    Pipeline,
)
from services.reservations.compensation import Compensator, Time
from services.reservations.domain import CHANGES, Command, Trace
from services.reservations.journal import Journal
from services.reservations.outbox import OutboxWorker, SentMarks
from services.reservations.repository import STATEMENTS, SagaRepository
from services.reservations.saga import SagaRunner
from services.reservations.schema import SCHEMA
from services.reservations.settings import INVENTORY, NOTIFICATIONS, PAYMENTS
from services.reservations.worker import RecoveryWorker, repeat

ROUTES = [
    web.post("/reserve", handlers.reserve),
    web.get("/reservations/{reservation_id}", handlers.read_reservation, allow_head=False),
]
FAILURES: Failures = {
    ("POST", "/reserve"): (
        *(Mechanism.PAYMENT_DECLINED, Mechanism.SOLD_OUT),
        *(Mechanism.BREAKER_OPEN, *NO_ANSWER, *OF_WRITES[1:]),
    ),
    ("GET", "/reservations/{reservation_id}"): OF_READS,
}
READY_POLL_S = 0.05
RECOVER_EVERY_S = 1.0
DELIVER_EVERY_S = 1.0
MARK_EVERY_S = 0.1
DRAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class TraceSpans:
    """Implements the port Spans."""

    tracing: Tracing

    def __call__(
        self, name: str, reservation_id: str, begun_by: Trace | None = None
    ) -> AbstractContextManager[object]:
        """Return the context of an INTERNAL span, see the port."""
        link = _span_context(begun_by) if begun_by else None
        return self.tracing.internal(name, {"aguante.reservation_id": reservation_id}, link_to=link)


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that runs, as `create_app` makes it."""

    database: Database
    shop: handlers.Shop
    compensator: Compensator
    marks: SentMarks
    worker: RecoveryWorker
    outbox_worker: OutboxWorker


def create_app(settings: Settings, policy: Policy, telemetry: Telemetry) -> web.Application:
    """Make the application; database, client session and workers start once it runs."""
    app = make_app(policy, telemetry, ROUTES, FAILURES)
    for link, method, route, answers in CALLS:
        telemetry.metrics.expect_call(link, method, route, answers)
    telemetry.metrics.expect_saga(CHANGES, (Command.RELEASE_SEATS, Command.REFUND))

    async def lifetime(app: web.Application) -> AsyncIterator[None]:
        async with make_session() as session:
            parts = assemble(settings, policy, telemetry, session)
            app[handlers.SHOP] = parts.shop
            app[READY_CHECKS].append(parts.database.ready)
            async with asynccontextmanager(parts.database.lifetime(SCHEMA))(app):
                workers = asyncio.create_task(_work(parts))
                yield
                await _stop(parts, workers)

    app.cleanup_ctx.append(lifetime)
    return app


def assemble(
    settings: Settings, policy: Policy, telemetry: Telemetry, session: ClientSession
) -> Parts:
    """Wire the parts together."""
    assert settings.database_url is not None  # noqa: S101 - load_settings asked for it
    emit, spans = telemetry.emit, TraceSpans(telemetry.tracing)

    def pipeline(link: str, patterns: LinkPolicy) -> Pipeline:
        edge = Link(link, settings.links[link], session, telemetry)
        return Pipeline(edge, patterns, emit, policy.compensation)

    inventory = InventoryClient(pipeline(INVENTORY, policy.links.reservations_inventory))
    payments = PaymentsClient(pipeline(PAYMENTS, policy.links.reservations_payments))
    notifications = NotificationsClient(
        pipeline(NOTIFICATIONS, policy.links.reservations_notifications)
    )
    database = Database(
        "reservations-db", settings.database_url, policy.database, telemetry, STATEMENTS
    )
    sagas = SagaRepository(database)
    retry = Retry("reservations-db", policy.links.reservations_db.retry, emit)
    journal, marks = Journal(sagas, retry, emit), SentMarks(sagas)
    clock = Time(time.monotonic, asyncio.sleep, random.random)
    compensator = Compensator(policy.compensation, journal, inventory, payments, emit, spans, clock)
    degrade = policy.degradation is not None
    runner = SagaRunner(journal, inventory, payments, notifications, compensator, marks, degrade)
    return Parts(
        database,
        handlers.Shop(runner, sagas, lambda: uuid4().hex, _current_trace),
        compensator,
        marks,
        RecoveryWorker(sagas, journal, compensator, spans),
        OutboxWorker(sagas, notifications, spans),
    )


async def _work(parts: Parts) -> None:
    """Run the background work from the moment the database can be used."""
    while await parts.database.ready() is not None:  # noqa: ASYNC110 - nobody could set an event
        await asyncio.sleep(READY_POLL_S)
    await asyncio.gather(
        repeat("recovery", parts.worker.recover_expired, RECOVER_EVERY_S),
        repeat("outbox", parts.outbox_worker.deliver_due, DELIVER_EVERY_S),
        repeat("sent marks", parts.marks.flush, MARK_EVERY_S),
    )


async def _stop(parts: Parts, workers: asyncio.Task[None]) -> None:
    """End the background work; what is cut short here, recovery and the outbox do after the next start."""
    if parts.shop.running:
        await asyncio.wait(parts.shop.running, timeout=DRAIN_S)
    workers.cancel()
    await asyncio.gather(workers, return_exceptions=True)
    await parts.compensator.drain(DRAIN_S)
    await asyncio.gather(parts.marks.flush(), return_exceptions=True)


def _current_trace() -> Trace:
    context = trace.get_current_span().get_span_context()
    return Trace(f"{context.trace_id:032x}", f"{context.span_id:016x}")


def _span_context(begun_by: Trace) -> SpanContext | None:
    if not begun_by.span_id:
        return None
    trace_id, span_id = int(begun_by.trace_id, 16), int(begun_by.span_id, 16)
    return SpanContext(
        trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
