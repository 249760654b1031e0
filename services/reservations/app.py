"""Reservations' composition root: everything is made and wired here."""

import asyncio
import random
import time
from collections.abc import AsyncIterator

from aiohttp import ClientSession, web

from services.kit.database.pool import Database
from services.kit.http.client import Link, make_session
from services.kit.http.server import READY_CHECKS, make_app
from services.kit.patterns.retry import Retry
from services.kit.process.settings import Settings
from services.kit.telemetry.telemetry import Telemetry
from services.reservations import handlers
from services.reservations.background import Background
from services.reservations.clients import CALLS, Inventory, Notifications, Payments, undo_policy
from services.reservations.compensation import Compensator, Time
from services.reservations.outbox import OutboxWorker, SentMarks
from services.reservations.recovery import RecoveryWorker
from services.reservations.repository import SCHEMA, STATEMENTS, Sagas
from services.reservations.saga import SagaRunner
from services.reservations.saga_metrics import add_saga_metrics
from services.reservations.transition_log import TransitionLog
from services.shop.expected import EXPECTED, expect_calls
from services.shop.links import RESERVATIONS_DB, STEPS
from services.shop.policy import Policy

ROUTES = [
    web.post("/reserve", handlers.reserve),
    web.get("/reservations/{reservation_id}", handlers.read_reservation, allow_head=False),
]


def create_app(settings: Settings, policy: Policy, telemetry: Telemetry) -> web.Application:
    """Make the application; database, client session and background work start once it runs."""
    assert settings.database_url is not None  # noqa: S101 - load_settings requires it
    database = Database(
        RESERVATIONS_DB, settings.database_url, policy.database, telemetry, STATEMENTS
    )
    app = make_app(policy, telemetry, ROUTES, EXPECTED["reservations"])
    add_saga_metrics(telemetry.metrics)
    expect_calls(telemetry.metrics, CALLS)
    app[handlers.SAGAS] = sagas = Sagas(database)
    app[READY_CHECKS].append(database.ready)
    app.cleanup_ctx.append(database.lifetime(SCHEMA))

    async def running(app: web.Application) -> AsyncIterator[None]:
        async with make_session() as session:
            background = _assemble(settings, policy, telemetry, session, sagas)
            app[handlers.RUNNER] = background.runner
            async with background.running(database.ready):
                yield

    app.cleanup_ctx.append(running)
    return app


def _assemble(
    settings: Settings, policy: Policy, telemetry: Telemetry, session: ClientSession, sagas: Sagas
) -> Background:
    emit, tracing, links = telemetry.emit, telemetry.tracing, policy.links
    to_inventory, to_payments, to_notifications = (
        Link(name, settings.links[name], session, telemetry) for name in STEPS
    )
    undo = undo_policy(policy.compensation)
    inventory = Inventory(to_inventory, links.reservations_inventory, undo)
    payments = Payments(to_payments, links.reservations_payments, undo)
    notifications = Notifications(to_notifications, links.reservations_notifications)
    log = TransitionLog(sagas, Retry(RESERVATIONS_DB, links.reservations_db.retry, emit), emit)
    clock = Time(time.monotonic, asyncio.sleep, random.random)
    compensator = Compensator(policy.compensation, log, inventory, payments, emit, tracing, clock)
    degrade, marks = policy.degradation is not None, SentMarks(sagas)
    runner = SagaRunner(log, inventory, payments, notifications, compensator, marks, degrade)
    return Background(
        runner,
        RecoveryWorker(sagas, log, compensator, tracing),
        OutboxWorker(sagas, notifications, tracing),
    )
