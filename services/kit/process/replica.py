"""Where a service listens: on its port; as one of several replicas, also on a port of its own.

Replicas share ``PORT`` by SO_REUSEPORT: the kernel gives each new connection to one of the processes that listen,
by a hash of its addresses. That spreads connections, not requests: one that is kept alive stays where it began.
A replica that is killed is out at once, with its connections; one that merely hangs goes on being given new ones.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from services.kit.http.server import READY_CHECKS
from services.kit.process.settings import Settings

JOIN_POLL_S = 0.05


async def listen(runner: web.AppRunner, settings: Settings) -> None:
    """Begin to listen on ``PORT``; with ``OWN_PORT`` there at once, and on the shared port once ready.

    Joining late is what spares callers a replica that has no database yet. Raises OSError: a port is taken.
    """
    if settings.own_port is None:
        await web.TCPSite(runner, settings.host, settings.port).start()
        return
    checks = runner.app[READY_CHECKS]
    others, joined = tuple(checks), asyncio.Event()

    async def joining() -> str | None:
        return None if joined.is_set() else f"it has not joined port {settings.port} yet"

    checks.append(joining)
    await web.TCPSite(runner, settings.host, settings.own_port).start()
    while [why for check in others if (why := await check())]:  # noqa: ASYNC110 - nobody could set an event
        await asyncio.sleep(JOIN_POLL_S)
    await web.TCPSite(runner, settings.host, settings.port, reuse_port=True).start()
    joined.set()
