"""One service of the bare chain: aiohttp alone, no database, no proxy, no telemetry, no resilience.

It is the reference of ``benchmarks.stack``: the same five processes and the same calls per reservation, so
that the ratio shows the cost of everything else. ``python -m benchmarks.bare_service PORT [PEER_URL...]``
serves ``POST /call``, which calls every peer in turn.
"""

import sys

import aiohttp
import uvloop
from aiohttp import web

PEERS = web.AppKey("PEERS", list[str])
SESSION = web.AppKey("SESSION", aiohttp.ClientSession)


async def call(request: web.Request) -> web.Response:
    """Call each peer in turn with the same body, then answer with it."""
    body = await request.json()
    for peer in request.app[PEERS]:
        async with request.app[SESSION].post(peer, json=body) as response:
            await response.json()
    return web.json_response(body)


async def _open(app: web.Application) -> None:
    app[SESSION] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


async def _close(app: web.Application) -> None:
    await app[SESSION].close()


def main() -> None:
    """Serve until killed."""
    uvloop.install()
    app = web.Application()
    app[PEERS] = [f"{peer}/call" for peer in sys.argv[2:]]
    app.router.add_post("/call", call)
    app.on_startup.append(_open)
    app.on_cleanup.append(_close)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)


if __name__ == "__main__":
    main()
