"""Payments' composition root: everything is made and wired here."""

from aiohttp import web

from services.kit.database.pool import Database
from services.kit.http.server import READY_CHECKS, make_app
from services.kit.process.settings import Settings
from services.kit.telemetry.telemetry import Telemetry
from services.payments import handlers
from services.payments.repository import SCHEMA, STATEMENTS, Charges
from services.shop.expected import EXPECTED
from services.shop.links import PAYMENTS_DB
from services.shop.policy import Policy

ROUTES = [
    web.post("/pay", handlers.pay),
    web.post("/refund", handlers.refund),
    web.get("/charges/{reservation_id}", handlers.read_charge, allow_head=False),
]


def create_app(settings: Settings, policy: Policy, telemetry: Telemetry) -> web.Application:
    """Make the application; its database opens in the background once it runs."""
    assert settings.database_url is not None  # noqa: S101 - load_settings requires it
    database = Database(PAYMENTS_DB, settings.database_url, policy.database, telemetry, STATEMENTS)
    app = make_app(policy, telemetry, ROUTES, EXPECTED["payments"])
    app[handlers.CHARGES] = Charges(database)
    app[READY_CHECKS].append(database.ready)
    app.cleanup_ctx.append(database.lifetime(SCHEMA))
    return app
