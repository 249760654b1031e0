"""The composition root of notifications."""

from aiohttp import web

from services.kit.http.server import make_app
from services.kit.policy.sections import Policy
from services.kit.process.settings import Settings
from services.kit.telemetry.telemetry import Telemetry
from services.notifications import handlers
from services.notifications.domain import SentNotices


def create_app(settings: Settings, policy: Policy, telemetry: Telemetry) -> web.Application:
    """Put the service together."""
    app = make_app(policy, telemetry, handlers.ROUTES)
    app[handlers.SENT] = SentNotices()
    return app
