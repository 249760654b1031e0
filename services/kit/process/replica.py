"""Where a service listens: on its port; as one of several replicas, also on a port of its own.

Replicas share `PORT` by SO_REUSEPORT: the kernel gives each new connection to one of the listening processes, by a
hash of the connection's addresses. That spreads connections, not requests: a connection that is kept alive stays
where it is. A replica that is killed loses its connections at once; one that only hangs still gets new ones.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from services.kit.http.server import READY_CHECKS
from services.kit.process.settings import Settings

JOIN_POLL_S = 0.05


async def listen(runner: web.AppRunner, settings: Settings) -> None:
    """Begin to listen on `PORT`; with `OWN_PORT`, on that at once and on the shared port once the service is ready.

    So callers never reach a replica that has no database yet. Raises OSError when a port is taken.
    """
    if settings.own_port is None:
        await web.TCPSite(runner, settings.host, settings.port).start()
        return
    checks = runner.app[READY_CHECKS]
    others, joined = tuple(checks), asyncio.Event()

    async def has_joined() -> str | None:
        return None if joined.is_set() else f"it has not joined port {settings.port} yet"

    checks.append(has_joined)
    await web.TCPSite(runner, settings.host, settings.own_port).start()
    while [why for check in others if (why := await check())]:  # noqa: ASYNC110 - checks are polled
        await asyncio.sleep(JOIN_POLL_S)
    await web.TCPSite(runner, settings.host, settings.port, reuse_port=True).start()
    joined.set()
