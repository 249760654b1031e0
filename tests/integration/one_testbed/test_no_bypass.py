"""No link can be bypassed: with its proxy disabled, the callee is reached in no other way. All nine links.

Three proofs for each: the caller's request fails on this very link (or the notification is not sent);
the callee itself saw nothing (its own request counter, or PostgreSQL's own view); and no service knows,
or is connected to, any other address.
"""

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

import aiohttp
import asyncpg
import psutil
import pytest
from waiting import until

from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.toxiproxy import ToxiproxyFault
from aguante.load.seed_events import seed_events
from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.testbed.runtime import Testbed
from aguante.testbed.testbed_spec import TestbedSpec

RECOVERY_LIMIT_S = 60.0
OPERATIONAL = {"/healthz", "/readyz", "/metrics", "/policy"}
_COUNT = re.compile(
    r'^http_server_request_duration_seconds_count\{.*?http_route="([^"]*)".*\} (\S+)$', re.MULTILINE
)


@dataclass(frozen=True)
class Expected:
    """How a request that needs a link fails when the link is down."""

    link: str
    operation: Literal["reserve", "read_event"]
    callee: str
    status: int = 503
    mechanism: str = "connect_refused"
    origin: str = ""


HTTP_LINKS = (
    Expected("gateway-reservations", "reserve", "reservations", origin="gateway"),
    Expected("gateway-inventory", "read_event", "inventory", origin="gateway"),
    Expected("reservations-inventory", "reserve", "inventory", origin="reservations"),
    Expected("reservations-payments", "reserve", "payments", origin="reservations"),
)
DATABASE_LINKS = (
    Expected("reservations-db", "reserve", "reservations", mechanism="database_unavailable"),
    Expected("inventory-db", "reserve", "inventory", mechanism="database_unavailable"),
    Expected("payments-db", "reserve", "payments", mechanism="database_unavailable"),
)
ROWS = {"reservations": "sagas", "inventory": "allocations", "payments": "charges"}


@dataclass(frozen=True)
class Answer:
    """What a client saw; ``status`` 0: refused."""

    status: int
    body: dict[str, object]


class Shop:
    """The real testbed, with one event that never sells out."""

    def __init__(self, testbed: Testbed, event_id: str, session: aiohttp.ClientSession) -> None:
        self.testbed = testbed
        self._event_id = event_id
        self._session = session
        self._driver = ToxiproxyDriver(testbed.toxiproxy, "no-bypass")

    async def reserve(self) -> Answer:
        body = {"user_id": "ann", "event_id": self._event_id, "quantity": 1}
        return await self._ask("POST", "/reserve", body)

    async def read_event(self) -> Answer:
        return await self._ask("GET", f"/events/{self._event_id}", None)

    async def ask(self, operation: str) -> Answer:
        return await (self.reserve() if operation == "reserve" else self.read_event())

    async def requests_seen(self, service: str) -> float:
        """How many requests a service says it has answered, those of the runner apart."""
        url = next(each.url for each in self.testbed.services if each.name == service)
        async with self._session.get(f"{url}/metrics") as answer:
            found = _COUNT.findall(await answer.text())
        assert found, "the metric's name or labels changed: this test would prove nothing"
        return sum(float(count) for route, count in found if route not in OPERATIONAL)

    async def query(self, database: str, sql: str) -> int:
        """One number from a database, by the auditor's own way in."""
        dsn = next(each.dsn for each in self.testbed.databases if each.name == database)
        connection = await asyncpg.connect(dsn)
        try:
            return int(await connection.fetchval(sql))
        finally:
            await connection.close()

    @contextlib.asynccontextmanager
    async def down(self, link: str) -> AsyncIterator[None]:
        """The link's proxy disabled; afterwards enabled, and the system whole again."""
        fault = PlannedFault(
            id=link, fault=ToxiproxyFault(link=link, toxic="down"), start_s=0, end_s=1
        )
        undo = await self._driver.prepare(fault)
        await self._driver.apply(fault)
        try:
            yield
        finally:
            await self._driver.undo(undo)
            await self._driver.verify(undo)
        await until(self._whole, RECOVERY_LIMIT_S)

    async def _whole(self) -> bool:
        return (await self.reserve()).status == 200 and (await self.read_event()).status == 200

    async def _ask(self, method: str, path: str, body: dict[str, object] | None) -> Answer:
        try:
            url = self.testbed.gateway + path
            async with self._session.request(method, url, json=body) as answer:
                return Answer(answer.status, await answer.json(content_type=None))
        except aiohttp.ClientConnectorError as why:
            if not isinstance(why.os_error, ConnectionRefusedError):
                raise
            return Answer(0, {})


@pytest.fixture(scope="module")
async def shop(runtime: NativeRuntime, shop_spec: TestbedSpec) -> AsyncIterator[Shop]:
    """The testbed with an event of this module."""
    limit = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=limit) as session:
        event_id, *_ = await seed_events(shop_spec, runtime.testbed, "no-bypass")
        yield Shop(runtime.testbed, event_id, session)


def test_every_link_is_tried(shop_spec: TestbedSpec) -> None:
    """A link that is added to links.yaml must be added here."""
    tried = {each.link for each in (*HTTP_LINKS, *DATABASE_LINKS)}
    assert {each.name for each in shop_spec.call_links} == {
        *tried,
        "client-gateway",
        "reservations-notifications",
    }


async def test_the_gateway_is_reached_through_its_proxy_alone(shop: Shop) -> None:
    """With client-gateway disabled a client is refused, and the gateway sees nothing."""
    before = await shop.requests_seen("gateway")
    async with shop.down("client-gateway"):
        assert (await shop.reserve()).status == 0
        assert (await shop.read_event()).status == 0
        assert await shop.requests_seen("gateway") == before


@pytest.mark.parametrize("expected", HTTP_LINKS, ids=lambda each: each.link)
async def test_a_service_is_reached_through_its_proxy_alone(shop: Shop, expected: Expected) -> None:
    """The caller is refused on this very link, and the callee sees no request."""
    async with shop.down(expected.link):
        before = await shop.requests_seen(expected.callee)
        answer = await shop.ask(expected.operation)
        after = await shop.requests_seen(expected.callee)
    assert (answer.status, answer.body.get("link")) == (expected.status, expected.link)
    assert answer.body["mechanism"] == expected.mechanism
    assert answer.body["origin"] == expected.origin
    # A payment's failure is compensated by a release, which is inventory's to see, not the callee's.
    assert after == before


async def test_notifications_is_reached_through_its_proxy_alone(shop: Shop) -> None:
    """The reservation stands, is told as not notified, and notifications sees nothing."""
    async with shop.down("reservations-notifications"):
        before = await shop.requests_seen("notifications")
        answer = await shop.reserve()
        assert await shop.requests_seen("notifications") == before
    assert answer.status == 200
    assert answer.body["notification"] == {"sent": False}


@pytest.mark.parametrize("expected", DATABASE_LINKS, ids=lambda each: each.link)
async def test_a_database_is_reached_through_its_proxy_alone(
    shop: Shop, expected: Expected
) -> None:
    """The service has no database, PostgreSQL has no session of its role, and no row appears."""
    database = expected.callee
    count = f"SELECT count(*) FROM {ROWS[database]}"  # noqa: S608  # a name of this file
    sessions = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{database}'"  # noqa: S608
    assert await shop.query(database, sessions) > 0, (
        "no session to be cut: this would prove nothing"
    )
    before = await shop.query(database, count)
    async with shop.down(expected.link):
        answer = await shop.reserve()
        assert await shop.query(database, count) == before

        async def no_session() -> bool:
            return await shop.query(database, sessions) == 0

        await until(no_session)
        await shop.reserve()
        assert await shop.query(database, sessions) == 0
    assert (answer.status, answer.body.get("link")) == (expected.status, expected.link)
    assert answer.body["mechanism"] == expected.mechanism


async def test_no_service_is_connected_to_anything_but_proxies(shop: Shop) -> None:
    """After traffic on every link, each established connection is to a proxy or from a client."""
    for _ in range(3):
        assert (await shop.reserve()).status == 200
        assert (await shop.read_event()).status == 200
    proxies = {int(link.listen.rpartition(":")[2]) for link in shop.testbed.links}
    outgoing = 0
    for service in shop.testbed.services:
        own = int(service.url.rpartition(":")[2])
        for each in psutil.Process(service.pid).net_connections("tcp"):
            if each.status != psutil.CONN_ESTABLISHED or each.laddr.port == own:
                continue
            outgoing += 1
            assert each.raddr.port in proxies, f"{service.name} is connected to {each.raddr}"
    assert outgoing >= 8, "fewer connections than links from services: this proves nothing"


async def test_no_service_knows_an_address_of_a_peer(shop: Shop) -> None:
    """Its environment holds its own port and its own links, never a peer's or PostgreSQL's own port."""
    ports = {each.name: each.url.rpartition(":")[2] for each in shop.testbed.services}
    postgres = shop.testbed.databases[0].dsn.rpartition(":")[2].partition("/")[0]
    for service in shop.testbed.services:
        peers = {port for name, port in ports.items() if name != service.name} | {postgres}
        environment = psutil.Process(service.pid).environ()
        known = {
            name for name, value in environment.items() if peers & set(re.findall(r"\d+", value))
        }
        assert known == set(), service.name
