"""The real reservations, inventory, payments and notifications, in one process, over wires that can be cut."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import asyncpg
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from apps import PATIENT_S, Start

from services.inventory.app import create_app as create_inventory
from services.notifications.app import create_app as create_notifications
from services.payments.app import create_app as create_payments
from services.reservations.app import create_app as create_reservations
from services.shop.policy import Policy

Client = TestClient[web.Request, web.Application]
Answer = tuple[int, dict[str, Any]]
HASTY_S = 0.5


@dataclass
class Wire:
    """One link that a test can break; `faults` are taken one per call, and then it works."""

    target: str
    faults: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    always: str = ""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.pop(0) if self.faults else self.always
        self.paths.append(request.path)
        self.reached.set()
        if fault == "cut before":
            self._cut(request)
        answer = await self._forward(request)
        if fault == "cut after":
            self._cut(request)
        if fault == "slow answer":
            await asyncio.sleep(HASTY_S * 2)
        if fault == "held answer":
            await asyncio.wait_for(self.let_go.wait(), PATIENT_S)
        if fault == "broken":
            return web.Response(status=500, text="oh")
        return answer

    async def _forward(self, request: web.Request) -> web.Response:
        headers = {"Content-Type": request.content_type}
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method,
                self.target + request.path,
                data=await request.read(),
                headers=headers,
            ) as answer,
        ):
            body = await answer.read()
            return web.Response(body=body, status=answer.status, content_type=answer.content_type)

    def _cut(self, request: web.Request) -> None:
        assert request.transport is not None
        request.transport.abort()


@dataclass
class Shop:
    """Everything a test looks at and breaks."""

    client: Client
    inventory: Wire
    payments: Wire
    notifications: Wire
    rows: dict[str, asyncpg.Connection]
    restart: Callable[[], Awaitable[Client]]

    async def reserve(self, key: str = "k", quantity: int = 2, **changed: Any) -> Answer:
        body = {"user_id": "u", "event_id": "e", "quantity": quantity, **changed}
        headers = {"Idempotency-Key": key}
        async with self.client.post("/reserve", json=body, headers=headers) as response:
            return response.status, await response.json()

    async def read(self, reservation_id: str) -> dict[str, Any]:
        async with self.client.get(f"/reservations/{reservation_id}") as response:
            assert response.status == 200
            return dict(await response.json())

    async def settled(self, reservation_id: str) -> str:
        """Wait until the saga has ended, and return its state."""
        for _ in range(200):
            state = str((await self.read(reservation_id))["state"])
            if state in {"CONFIRMED", "COMPENSATED", "ABORTED"}:
                return state
            await asyncio.sleep(0.03)
        pytest.fail(f"{reservation_id} is still {state}")

    async def left(self) -> tuple[int, list[str], list[str]]:
        """Return seats available, states of allocations, and states of charges."""
        inventory, payments = self.rows["inventory"], self.rows["payments"]
        allocations = await inventory.fetch("SELECT state FROM allocations ORDER BY updated_at")
        charges = await payments.fetch("SELECT state FROM charges ORDER BY updated_at")
        available = await inventory.fetchval("SELECT available FROM events WHERE event_id = 'e'")
        return available, [r[0] for r in allocations], [r[0] for r in charges]


def timed(policy: Policy, hasty: str) -> Policy:
    """Let only the steps on the link ``hasty`` time out soon; a timeout that is off stays off."""
    links = policy.links
    steps = {
        name: msgspec.structs.replace(
            getattr(links, name), timeout_s=HASTY_S if name == hasty.replace("-", "_") else PATIENT_S
        )
        for name in (
            "reservations_inventory", "reservations_payments", "reservations_notifications",
        )
        if getattr(links, name).timeout_s is not None
    }  # fmt: skip
    database = msgspec.structs.replace(policy.database, acquire_s=PATIENT_S, statement_s=PATIENT_S)
    links = msgspec.structs.replace(links, **steps)
    return msgspec.structs.replace(policy, links=links, database=database)


async def wire_to(client: Client, servers: list[TestServer]) -> tuple[Wire, str]:
    wire = Wire(str(client.make_url("")).rstrip("/"))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", wire.pass_on)
    servers.append(TestServer(app))
    await servers[-1].start_server()
    return wire, str(servers[-1].make_url("")).rstrip("/")


@asynccontextmanager
async def open_shop(
    start: Start, policy: Policy, new_database: Callable[[], Awaitable[str]], hasty: str = ""
) -> AsyncIterator[Shop]:
    """Yield a shop under ``policy``, patient but for the link ``hasty``; event `e` has 10 seats."""
    policy = timed(policy, hasty)
    urls = {name: await new_database() for name in ("inventory", "payments", "reservations")}
    inventory = await start(create_inventory, policy, urls["inventory"])
    payments = await start(create_payments, policy, urls["payments"])
    notifications = await start(create_notifications, policy)
    await inventory.put("/events/e", json={"capacity": 10})
    servers: list[TestServer] = []
    wires = [await wire_to(client, servers) for client in (inventory, payments, notifications)]
    links = dict(
        zip(
            ("reservations_inventory", "reservations_payments", "reservations_notifications"),
            (url for _, url in wires),
            strict=True,
        )
    )

    async def begin() -> Client:
        return await start(create_reservations, policy, urls["reservations"], **links)

    rows = {name: await asyncpg.connect(url) for name, url in urls.items()}
    yield Shop(await begin(), *(wire for wire, _ in wires), rows=rows, restart=begin)
    for connection in rows.values():
        await connection.close()
    for server in servers:
        await server.close()
