"""The gateway's composition root: the one place where its parts are put together."""

from collections.abc import AsyncIterator
from uuid import uuid4

from aiohttp import web

from services.gateway import clients, handlers
from services.gateway.settings import LINK_INVENTORY, LINK_RESERVATIONS
from services.kit.failures.problem import Mechanism
from services.kit.http.client import Link, make_session
from services.kit.http.server import make_app
from services.kit.patterns.semaphore import Semaphore
from services.kit.policy.sections import Policy
from services.kit.process.settings import Settings
from services.kit.telemetry.telemetry import Telemetry


def create_app(settings: Settings, policy: Policy, telemetry: Telemetry) -> web.Application:
    """Put the gateway together; nothing is connected before the application starts."""
    app = make_app(policy, telemetry, handlers.ROUTES, handlers.FAILURES)
    app[handlers.SEMAPHORE] = Semaphore(policy.semaphore, telemetry.emit)
    app[handlers.MAKE_KEY] = lambda: uuid4().hex
    telemetry.metrics.expect_rejections(Mechanism.SEMAPHORE_FULL)
    for link, method, route, answers in clients.CALLS:
        telemetry.metrics.expect_call(link, method, route, answers)

    async def connected(app: web.Application) -> AsyncIterator[None]:
        async with make_session() as session:
            app[handlers.RESERVATIONS] = clients.Reservations(
                Link(LINK_RESERVATIONS, settings.links[LINK_RESERVATIONS], session, telemetry),
                policy.links.gateway_reservations,
                telemetry,
            )
            app[handlers.INVENTORY] = clients.Inventory(
                Link(LINK_INVENTORY, settings.links[LINK_INVENTORY], session, telemetry),
                policy.links.gateway_inventory,
                telemetry,
            )
            yield

    app.cleanup_ctx.append(connected)
    return app
