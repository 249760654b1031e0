"""Inventory's composition root: everything is made and wired here."""

from aiohttp import web

from services.inventory import handlers
from services.inventory.lock import SeatLock
from services.inventory.repository import SCHEMA, STATEMENTS, Seats
from services.kit.database.pool import Database
from services.kit.failures.expected import OF_READS, OF_WRITES, Failures
from services.kit.failures.problem import Mechanism
from services.kit.http.server import READY_CHECKS, make_app
from services.kit.policy.sections import Policy
from services.kit.process.settings import Settings
from services.kit.telemetry.telemetry import Telemetry

ROUTES = [
    web.post("/reserve", handlers.reserve),
    web.post("/release", handlers.release),
    web.get("/events/{event_id}", handlers.read_event, allow_head=False),
    web.put("/events/{event_id}", handlers.put_event),
]
FAILURES: Failures = {
    ("POST", "/reserve"): (Mechanism.SOLD_OUT, Mechanism.VOIDED, *OF_WRITES),
    ("POST", "/release"): OF_WRITES,
    ("GET", "/events/{event_id}"): OF_READS,
}


def create_app(settings: Settings, policy: Policy, telemetry: Telemetry) -> web.Application:
    """Make the application; its database opens in the background once it runs."""
    assert settings.database_url is not None  # noqa: S101 - load_settings asked for it
    database = Database(
        "inventory-db", settings.database_url, policy.database, telemetry, STATEMENTS
    )
    app = make_app(policy, telemetry, ROUTES, FAILURES)
    app[handlers.SEATS] = Seats(database, SeatLock(policy.lock, database))
    app[READY_CHECKS].append(database.ready)
    app.cleanup_ctx.append(database.lifetime(SCHEMA))
    return app
