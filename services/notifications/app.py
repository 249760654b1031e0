"""The composition root of notifications."""

from aiohttp import web

from services.kit.http_server import make_app
from services.kit.policy import Policy
from services.kit.settings import Settings
from services.kit.telemetry import Telemetry
from services.notifications import handlers
from services.notifications.domain import SentNotices


def create_app(settings: Settings, policy: Policy, telemetry: Telemetry) -> web.Application:
    """Put the service together."""
    app = make_app(policy, telemetry, handlers.ROUTES)
    app[handlers.SENT] = SentNotices()
    return app
