"""Two and more replicas of a service behind one proxy, on the real system.

They share a port by SO_REUSEPORT, so the kernel spreads new connections over them: every request here comes
over a connection of its own, and 40 connections all go to one of two replicas once in 10^12 runs.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import duckdb
import pytest

from aguante.collect.otlp_collector import Collector
from aguante.collect.span_decoder import decode_spans
from aguante.load.seed_events import seed_events
from aguante.run_folder.folder import RunFolder
from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.testbed.runtime import RunningService, Testbed
from aguante.testbed.testbed_spec import TestbedSpec

CONNECTIONS = 40
_SEEN = re.compile(
    r'^http_server_request_duration_seconds_count\{.*?http_route="/events/\{event_id\}".*\} (\S+)$',
    re.MULTILINE,
)


@dataclass(frozen=True)
class Shop:
    """The real testbed with two instances of inventory, an event, and a collector for its spans."""

    runtime: NativeRuntime
    event_id: str
    folder: RunFolder

    @property
    def testbed(self) -> Testbed:
        return self.runtime.testbed

    @property
    def inventories(self) -> list[RunningService]:
        return [each for each in self.testbed.services if each.name == "inventory"]

    async def read_over(self, connections: int) -> Counter[int | str]:
        """Send reads through the proxy, each over a new connection, and return their statuses."""
        listen = next(e.listen for e in self.testbed.links if e.name == "gateway-inventory")
        url = f"http://{listen}/events/{self.event_id}"
        connector = aiohttp.TCPConnector(force_close=True, limit=8)
        async with aiohttp.ClientSession(connector=connector) as session:
            return Counter(
                await asyncio.gather(*(_status(session, url) for _ in range(connections)))
            )

    async def seen(self) -> dict[str, float]:
        """Return the number of reads that each instance of inventory reports."""
        async with aiohttp.ClientSession() as session:
            found = {}
            for each in self.inventories:
                async with session.get(f"{each.url}/metrics") as answer:
                    counts = _SEEN.findall(await answer.text())
                assert counts, "the metric's name or labels changed: this would prove nothing"
                found[each.instance] = sum(map(float, counts))
        return found

    async def reserve(self) -> int | str:
        """Make a reservation through the gateway and return the status."""
        body = {"user_id": "ann", "event_id": self.event_id, "quantity": 1}
        limit = aiohttp.ClientTimeout(total=10)
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.post(f"{self.testbed.gateway}/reserve", json=body) as answer,
        ):
            return answer.status


async def _status(session: aiohttp.ClientSession, url: str) -> int | str:
    try:
        async with session.get(url) as answer:
            return answer.status
    except aiohttp.ClientError as error:
        return type(error).__name__


@pytest.fixture(scope="module")
async def shop(
    own_parent: Path, shop_spec: TestbedSpec, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    """One testbed for this module."""
    folder = RunFolder.create(tmp_path_factory.mktemp("runs"), "replicas")
    runtime, replicas = NativeRuntime(own_parent), {"inventory": 2}
    async with (
        Collector(folder.otlp) as collector,
        runtime.running(shop_spec, "default", collector.endpoint, replicas) as testbed,
    ):
        event_id, *_ = await seed_events(shop_spec, testbed, "replicas")
        yield Shop(runtime, event_id, folder)


async def test_each_replica_is_a_process_with_an_address_of_its_own(shop: Shop) -> None:
    """The links lead to the shared port, not to these addresses."""
    one, two = shop.inventories
    assert (one.instance, two.instance) == ("inventory-1", "inventory-2")
    assert one.pid != two.pid
    upstreams = {e.upstream for e in shop.testbed.links if e.name.endswith("-inventory")}
    assert len(upstreams) == 1
    assert upstreams.isdisjoint(each.url.removeprefix("http://") for each in (one, two))


async def test_both_replicas_get_traffic(shop: Shop) -> None:
    """Each request is handled by one of them, and none is lost."""
    before = await shop.seen()
    assert await shop.read_over(CONNECTIONS) == {200: CONNECTIONS}
    after = await shop.seen()
    grown = {name: after[name] - before[name] for name in after}
    assert sum(grown.values()) == CONNECTIONS
    assert min(grown.values()) > 0, grown


async def test_killing_one_leaves_the_service_usable(shop: Shop) -> None:
    """The survivor receives every new connection; after a restart the other receives its share again."""
    await shop.runtime.kill("inventory-1")
    assert await shop.read_over(CONNECTIONS) == {200: CONNECTIONS}
    # The gateway's and reservations' own connections to the dead replica were cut; theirs are made anew.
    assert 200 in [await shop.reserve() for _ in range(3)]
    await shop.runtime.start("inventory-1")
    assert await shop.read_over(CONNECTIONS) == {200: CONNECTIONS}
    assert (await shop.seen())["inventory-1"] > 0


async def test_spans_identify_the_replica(shop: Shop) -> None:
    """They have one service name and different values of ``service.instance.id``."""
    await shop.read_over(CONNECTIONS)
    async with asyncio.timeout(10):
        while True:
            await asyncio.sleep(0.5)  # spans are exported twice a second
            decode_spans(shop.folder)
            said = duckdb.sql(
                f"SELECT DISTINCT instance FROM '{shop.folder.spans}' WHERE service = 'inventory'"  # noqa: S608
            ).fetchall()
            if len(said) == 2:
                break
    assert sorted(name for (name,) in said) == ["inventory-1", "inventory-2"]
