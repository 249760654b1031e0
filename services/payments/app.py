"""Payments' composition root: everything is made and wired here."""

from aiohttp import web

from services.kit.database.pool import Database
from services.kit.failures.expected import OF_READS, OF_WRITES, Failures
from services.kit.failures.problem import Mechanism
from services.kit.http.server import READY_CHECKS, make_app
from services.kit.policy.sections import Policy
from services.kit.process.settings import Settings
from services.kit.telemetry.telemetry import Telemetry
from services.payments import handlers
from services.payments.repository import SCHEMA, STATEMENTS, Charges

ROUTES = [
    web.post("/pay", handlers.pay),
    web.post("/refund", handlers.refund),
    web.get("/charges/{reservation_id}", handlers.read_charge, allow_head=False),
]
FAILURES: Failures = {
    ("POST", "/pay"): (Mechanism.PAYMENT_DECLINED, Mechanism.VOIDED, *OF_WRITES),
    ("POST", "/refund"): OF_WRITES,
    ("GET", "/charges/{reservation_id}"): OF_READS,
}


def create_app(settings: Settings, policy: Policy, telemetry: Telemetry) -> web.Application:
    """Make the application; its database opens in the background once it runs."""
    assert settings.database_url is not None  # noqa: S101 - load_settings asked for it
    database = Database(
        "payments-db", settings.database_url, policy.database, telemetry, STATEMENTS
    )
    app = make_app(policy, telemetry, ROUTES, FAILURES)
    app[handlers.CHARGES] = Charges(database)
    app[READY_CHECKS].append(database.ready)
    app.cleanup_ctx.append(database.lifetime(SCHEMA))
    return app
