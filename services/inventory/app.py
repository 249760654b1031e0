"""Inventory's composition root: everything is made and wired here."""

from aiohttp import web

from services.inventory import handlers
from services.inventory.lock import SeatLock
from services.inventory.repository import SCHEMA, STATEMENTS, Seats
from services.kit.database.pool import Database
from services.kit.http.server import READY_CHECKS, make_app
from services.kit.process.settings import Settings
from services.kit.telemetry.telemetry import Telemetry
from services.shop.expected import EXPECTED
from services.shop.links import INVENTORY_DB
from services.shop.policy import Policy

ROUTES = [
    web.post("/reserve", handlers.reserve),
    web.post("/release", handlers.release),
    web.get("/events/{event_id}", handlers.read_event, allow_head=False),
    web.put("/events/{event_id}", handlers.put_event),
]


def create_app(settings: Settings, policy: Policy, telemetry: Telemetry) -> web.Application:
    """Make the application; its database opens in the background once it runs."""
    assert settings.database_url is not None  # noqa: S101 - load_settings requires it
    database = Database(INVENTORY_DB, settings.database_url, policy.database, telemetry, STATEMENTS)
    app = make_app(policy, telemetry, ROUTES, EXPECTED["inventory"])
    app[handlers.SEATS] = Seats(database, SeatLock(policy.lock, database))
    app[READY_CHECKS].append(database.ready)
    app.cleanup_ctx.append(database.lifetime(SCHEMA))
    return app
