"""The real gateway as a process, and callees in a thread that answer everything a callee can."""

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from aiohttp import web
from test_kit_serve import running

from services.kit.failures.problem import PROBLEM_TYPE, STATUS_OF, Mechanism, Problem

SAID = sorted(set(STATUS_OF) - {Mechanism.METHOD_NOT_ALLOWED})
SAID_TO_READERS = [m for m in SAID if STATUS_OF[m] in (400, 404, 429) or STATUS_OF[m] >= 500]
"""A request without a body can be neither too long nor a conflict."""
LISTENING_S = 10.0


class Callees:
    """Reservations and inventory in one: mostly they do as they are asked, else they fail in every way there is."""

    def __init__(self, seed: int, failing: float) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a repeatable choice, no secret
        self._failing = failing

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        asked = await request.read()
        if self._random.random() < self._failing:
            return self._failure(SAID_TO_READERS if request.method == "GET" else SAID)
        if request.path.startswith("/events/"):
            event_id = request.path.removeprefix("/events/")
            return web.json_response({"event_id": event_id, "capacity": 9, "available": 9})
        order = msgspec.json.decode(asked) if asked else {}
        return web.json_response(
            {
                "reservation_id": "r-1",
                "state": "CONFIRMED",
                "user_id": order.get("user_id", "ana"),
                "event_id": order.get("event_id", "e-1"),
                "quantity": order.get("quantity", 1),
                "amount_cents": 2500,
                "notification": {"sent": True},
                "failure": None,
            }
        )

    def _failure(self, said: list[Mechanism]) -> web.Response:
        broken = web.Response(text="oops", status=self._random.choice((200, 500)))
        if self._random.random() < 0.1:
            return broken
        problem = Problem(self._random.choice(said), "why", link="a-b", reservation_id="r-1")
        return web.Response(
            body=problem.body("inventory", "ab" * 16),
            status=problem.status,
            content_type=PROBLEM_TYPE,
        )


@contextmanager
def listening_in_a_thread(callees: Callees) -> Iterator[str]:
    """Serve the callees and yield their address."""
    loop = asyncio.new_event_loop()
    started: list[str] = []
    ready = threading.Event()

    async def serve() -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", callees.answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        started.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        ready.set()
        return runner

    def run() -> None:
        runner = loop.run_until_complete(serve())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        assert ready.wait(LISTENING_S)
        yield started[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(LISTENING_S)


@contextmanager
def gateway_process(
    *, seed: int = 7, failing: float = 0.3, **environ: str
) -> Iterator[tuple[int, int]]:
    """Yield port and pid of a gateway that is ready; its breaker would hide failing callees, so it has none here."""
    with listening_in_a_thread(Callees(seed, failing)) as url:
        links = {"LINK_GATEWAY_RESERVATIONS": url, "LINK_GATEWAY_INVENTORY": url}
        with running("gateway", **links, **environ) as (process, port):
            yield port, process.pid
