"""Notifications' composition root: everything is made and wired here."""

from aiohttp import web

from services.kit.http.server import make_app
from services.kit.process.settings import Settings
from services.kit.telemetry.telemetry import Telemetry
from services.notifications import handlers
from services.notifications.domain import SentNotices
from services.shop.expected import EXPECTED
from services.shop.policy import Policy

ROUTES = [web.post("/notify", handlers.notify)]


def create_app(settings: Settings, policy: Policy, telemetry: Telemetry) -> web.Application:
    """Make the application."""
    app = make_app(policy, telemetry, ROUTES, EXPECTED["notifications"])
    app[handlers.SENT] = SentNotices()
    return app
