"""What the races, the late step and the hang-up share: one real testbed, a client with a ledger, the audit."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import aiohttp
import asyncpg

from aguante.collect.settle import settle
from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.toxiproxy import ToxiproxyFault
from aguante.measure.measures import InvariantMeasure
from aguante.run_folder.folder import RunFolder
from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.testbed.runtime import ONE_EACH, Testbed
from aguante.testbed.testbed_spec import TestbedSpec
from stress.audit import audit, take_tables
from stress.client import Client, ReservationRequest
from stress.ledger import Ledger

WAIT_S = 30.0
WIDENED_MS = 150
"""On every answer of inventory's database: it keeps open the window between reading seats and writing them."""
LOCKS = ("row", "process", "none")


@dataclass
class Shop:
    """The real system, and all that a test does to it."""

    spec: TestbedSpec
    runtime: NativeRuntime
    testbed: Testbed
    folder: RunFolder
    ledger: Ledger
    client: Client

    async def event(self, capacity: int, event_id: str = "") -> str:
        """Make an event, or resize one: a resize counts its seats anew, so it also fixes an oversold one."""
        event_id = event_id or f"event-{uuid4().hex[:12]}"
        url = next(s.url for s in self.testbed.services if s.name == "inventory")
        async with (
            aiohttp.ClientSession() as session,
            session.put(f"{url}/events/{event_id}", json={"capacity": capacity}) as answer,
        ):
            assert answer.status == 200, await answer.text()
        return event_id

    def orders(self, event_id: str, count: int) -> list[ReservationRequest]:
        """As many users, each of whom wants one seat of the event."""
        return [
            ReservationRequest(f"{event_id}-{n}", f"user-{n}", event_id, 1) for n in range(count)
        ]

    @contextlib.asynccontextmanager
    async def slow(self, link: str, latency_ms: int, stream: str) -> AsyncIterator[None]:
        """A latency toxic for the time of the body."""
        driver = ToxiproxyDriver(self.testbed.toxiproxy, "race")
        toxic = ToxiproxyFault.model_validate(
            {
                "link": link,
                "toxic": "latency",
                "stream": stream,
                "attributes": (("latency", latency_ms),),
            }
        )
        fault = PlannedFault(id="slow", fault=toxic, start_s=0, end_s=1)
        undo = await driver.prepare(fault)
        await driver.apply(fault)
        try:
            yield
        finally:
            await driver.undo(undo)
            await driver.verify(undo)

    async def rows(self, database: str, sql: str, *args: object) -> list[asyncpg.Record]:
        """Rows of a database, by the auditor's own way in."""
        dsn = next(each.dsn for each in self.testbed.databases if each.name == database)
        connection = await asyncpg.connect(dsn)
        try:
            return list(await connection.fetch(sql, *args))
        finally:
            await connection.close()

    async def until(self, reached: int, database: str, sql: str, *args: object) -> None:
        """Wait until a count has been reached, at most WAIT_S."""
        async with asyncio.timeout(WAIT_S):
            while True:
                if (await self.rows(database, sql, *args))[0][0] >= reached:
                    return
                await asyncio.sleep(0.02)

    async def race(self, event_id: str, racers: int) -> Counter[tuple[int, str]]:
        """All ask at once for one seat of the event; returns how many got which status and mechanism."""
        async with self.slow("inventory-db", WIDENED_MS, "downstream"):
            asking = (self.client.reserve(order) for order in self.orders(event_id, racers))
            return Counter((r.status, r.mechanism) for r in await asyncio.gather(*asking))

    async def allocated(self, event_id: str) -> int:
        """How many seats of the event reservations hold, counted."""
        sql = "SELECT sum(quantity) FROM allocations WHERE event_id = $1 AND state = 'ALLOCATED'"
        return int((await self.rows("inventory", sql, event_id))[0][0] or 0)

    async def audited(self) -> dict[str, InvariantMeasure]:
        """Wait until the system has settled, and return the invariants that do not hold."""
        settled = await settle(self.spec.settle, self.testbed)
        assert settled.settled, f"{settled.unsettled} sagas are still under way"
        await take_tables(self.testbed, self.folder)
        measures = audit(self.spec, self.folder)
        assert len(measures) == len(self.spec.invariants) > 0
        return {each.name: each for each in measures if each.violations or each.error}


@contextlib.asynccontextmanager
async def shop_with(
    spec: TestbedSpec, parent: Path, policy: str, replicas: Mapping[str, int] = ONE_EACH
) -> AsyncIterator[Shop]:
    """A testbed with this policy and a client; ``parent`` is a folder for all its files."""
    runtime = NativeRuntime(parent)
    async with (
        runtime.running(spec, policy, replicas=replicas),
        shop_on(spec, runtime, parent / "runs") as shop,
    ):
        yield shop


@contextlib.asynccontextmanager
async def shop_on(spec: TestbedSpec, runtime: NativeRuntime, runs: Path) -> AsyncIterator[Shop]:
    """A client with a ledger of its own on a testbed that is up; ``runs`` is a folder for its audits."""
    folder = RunFolder.create(runs, "audit")
    with Ledger(folder.records) as ledger:
        async with Client(runtime.testbed.gateway, ledger) as client:
            yield Shop(spec, runtime, runtime.testbed, folder, ledger, client)


def with_a_policy_for_each_lock(spec: TestbedSpec, policies: Path) -> TestbedSpec:
    """The system with policies named like LOCKS: the default one but for that line."""
    policies.mkdir()
    text = (spec.policies / "default.yaml").read_text()
    assert text.count("lock: row") == 1
    for lock in LOCKS:
        (policies / f"{lock}.yaml").write_text(text.replace("lock: row", f"lock: {lock}"))
    return spec.model_copy(update={"policies": policies})
