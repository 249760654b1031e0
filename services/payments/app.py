"""Payments' composition root: everything is made and wired here."""

from aiohttp import web

from services.kit.database import Database
from services.kit.http_server import READY_CHECKS, make_app
from services.kit.policy import Policy
from services.kit.settings import Settings
from services.kit.telemetry import Telemetry
from services.payments import handlers
from services.payments.repository import SCHEMA, Charges

ROUTES = [
    web.post("/pay", handlers.pay),
    web.post("/refund", handlers.refund),
    web.get("/charges/{reservation_id}", handlers.read_charge, allow_head=False),
]


def create_app(settings: Settings, policy: Policy, telemetry: Telemetry) -> web.Application:
    """Make the application; its database opens in the background once it runs."""
    assert settings.database_url is not None  # noqa: S101 - load_settings asked for it
    database = Database("payments-db", settings.database_url, policy.database, telemetry)
    app = make_app(policy, telemetry, ROUTES)
    app[handlers.CHARGES] = Charges(database)
    app[READY_CHECKS].append(database.ready)
    app.cleanup_ctx.append(database.lifetime(SCHEMA))
    return app
