"""The gateway's composition root: everything is made and wired here."""

from collections.abc import AsyncIterator

from aiohttp import web

from services.gateway import handlers
from services.gateway.clients import CALLS, Inventory, Reservations
from services.kit.failures.problem import Mechanism
from services.kit.http.client import Link, make_session
from services.kit.http.server import make_app
from services.kit.patterns.semaphore import Semaphore
from services.kit.process.settings import Settings
from services.kit.telemetry.telemetry import Telemetry
from services.shop.expected import EXPECTED, expect_calls
from services.shop.links import GATEWAY_INVENTORY, GATEWAY_RESERVATIONS
from services.shop.policy import Policy

ROUTES = [
    web.post("/reserve", handlers.reserve),
    web.get("/reservations/{reservation_id}", handlers.read_reservation, allow_head=False),
    web.get("/events/{event_id}", handlers.read_event, allow_head=False),
    web.get("/openapi.json", handlers.read_openapi, allow_head=False),
]


def create_app(settings: Settings, policy: Policy, telemetry: Telemetry) -> web.Application:
    """Make the application; its client session opens once it runs."""
    app = make_app(policy, telemetry, ROUTES, EXPECTED["gateway"])
    app[handlers.SEMAPHORE] = Semaphore(policy.semaphore, telemetry.emit)
    telemetry.metrics.expect_rejections(Mechanism.SEMAPHORE_FULL)
    expect_calls(telemetry.metrics, CALLS)

    async def connected(app: web.Application) -> AsyncIterator[None]:
        async with make_session() as session:
            reservations, inventory = (
                Link(name, settings.links[name], session, telemetry)
                for name in (GATEWAY_RESERVATIONS, GATEWAY_INVENTORY)
            )
            links = policy.links
            app[handlers.RESERVATIONS] = Reservations(reservations, links.gateway_reservations)
            app[handlers.INVENTORY] = Inventory(inventory, links.gateway_inventory)
            yield

    app.cleanup_ctx.append(connected)
    return app
