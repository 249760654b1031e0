"""Runs one storm: starts the testbed, runs customers and faults side by side, heals, settles, audits."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from aguante.clients.toxiproxy_client import ToxiproxyClient
from aguante.collect.settle import settle
from aguante.run_folder.folder import RunFolder
from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.testbed.runtime import Testbed
from aguante.testbed.testbed_spec import TestbedSpec
from stress.audit import opened, take_tables
from stress.chaos import Chaos, driver_for
from stress.client import Client
from stress.customers import Customers, read_reservations
from stress.ledger import Ledger
from stress.result import Result, answers_agree, count, objections, reads_match_the_end
from stress.saga_observer import saga_observer
from stress.schedule import capacities, orders

OUTSTANDING_MAX = 200
"""Concurrent customers; further arrivals wait and start late."""
PROGRESS_EVERY_S = 10.0
CONFIRMED_READ_MAX = 100


@dataclass(frozen=True)
class StormOptions:
    """The size of a storm."""

    seed: int
    reservations: int
    """The minimum number of orders."""
    kills_between: int
    """The minimum number of kills between pay and confirm."""
    rate_rps: float
    """Orders per second."""
    limit_s: float
    """The storm is given up when these minimums are not reached by then."""
    policy: str = "default"


class StormError(Exception):
    """The storm did not finish, so it proves nothing."""


@dataclass(frozen=True)
class Storm:
    """One storm, to be run once.

    Args:
        wanted: its size.
        spec: the shop.
        folder: receives ledger, tables and logs.
        runtime: starts the testbed.
        report_progress: receives a line of progress every 10 s.
    """

    wanted: StormOptions
    spec: TestbedSpec
    folder: RunFolder
    runtime: NativeRuntime
    report_progress: Callable[[str], None]

    async def run(self) -> Result:
        """Run customers and faults, heal, wait until the system settles, and audit.

        Raises:
            StormError: the minimums were not reached within the limit, or a fault is not undone.
            TestbedError: the testbed or a killed service did not start.
            FaultError: a toxic could not be applied or removed.
            DumpError: the final tables cannot be read.
        """
        async with self.runtime.running(self.spec, self.wanted.policy) as testbed:
            try:
                with Ledger(self.folder.records) as ledger:
                    return await self._run_on(testbed, ledger)
            finally:
                logs = testbed.state / "logs"
                shutil.copytree(logs, self.folder.logs, dirs_exist_ok=True)

    async def _run_on(self, testbed: Testbed, ledger: Ledger) -> Result:
        await _make_events(testbed)
        async with Client(testbed.gateway, ledger) as client, saga_observer(testbed) as observer:
            driver = driver_for(testbed, self.wanted.seed)
            chaos = Chaos(self.runtime, driver, observer, ledger.now_s)
            customers = Customers(client)
            await self._break_and_serve(customers, chaos, ledger)
            await _require_healed(testbed)
            settled = await settle(self.spec.settle, testbed)
            readings = await read_reservations(client, _reservations_to_read(ledger))
        await take_tables(testbed, self.folder)
        with opened(self.spec, self.folder) as (evidence, measures):
            tally = count(evidence, chaos.damage)
            responses = (answers_agree(customers), reads_match_the_end(evidence, readings))
        against = objections(tally, settled, (*measures, *responses), self.wanted.kills_between)
        return Result(self.wanted.seed, tally, settled, (*measures, *responses), against)

    async def _break_and_serve(self, customers: Customers, chaos: Chaos, ledger: Ledger) -> None:
        """Run customers and faults side by side until the minimums are reached, then undo every fault."""
        links = [link.name for link in self.spec.links]
        services = [service.name for service in self.spec.services]
        breaking = asyncio.create_task(chaos.run(self.wanted.seed, links, services))
        serving = asyncio.create_task(self._serve(customers, chaos, ledger))
        try:
            await asyncio.wait(
                {breaking, serving},
                timeout=self.wanted.limit_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            late = not breaking.done() and not serving.done()
        finally:
            chaos.stop()
            if not serving.done():
                serving.cancel()
            await asyncio.gather(breaking, serving, return_exceptions=True)
        breaking.result()
        if late:
            raise StormError(self._too_little(ledger, chaos))
        serving.result()

    async def _serve(self, customers: Customers, chaos: Chaos, ledger: Ledger) -> None:
        """Start customers until the minimums of orders and of kills are reached."""
        slots = asyncio.Semaphore(OUTSTANDING_MAX)
        reported_s = 0.0
        async with asyncio.TaskGroup() as group:
            for number, order in enumerate(orders(self.wanted.seed, self.wanted.rate_rps)):
                if number >= self.wanted.reservations and self._enough(chaos):
                    return
                await asyncio.sleep(max(0.0, order.at_s - ledger.now_s()))
                await slots.acquire()
                group.create_task(customers.play(order)).add_done_callback(
                    lambda _: slots.release()
                )
                if ledger.now_s() > reported_s + PROGRESS_EVERY_S:
                    reported_s = ledger.now_s()
                    self.report_progress(self._progress(number + 1, ledger, chaos))

    def _enough(self, chaos: Chaos) -> bool:
        return chaos.damage.between >= self.wanted.kills_between

    def _progress(self, started: int, ledger: Ledger, chaos: Chaos) -> str:
        damage = chaos.damage
        confirmed = sum(
            each.status == 200 and each.operation == "reserve" for each in ledger.records
        )
        return (
            f"{ledger.now_s():5.0f} s  {started} of {self.wanted.reservations} orders, {confirmed} confirmed, "
            f"{len(damage.toxics)} toxics, {len(damage.kills)} kills, "
            f"{damage.between} of {self.wanted.kills_between} between pay and confirm"
        )

    def _too_little(self, ledger: Ledger, chaos: Chaos) -> str:
        keys = len({each.idempotency_key for each in ledger.records if each.idempotency_key})
        return f"given up after {self.wanted.limit_s:g} s: " + self._progress(keys, ledger, chaos)


async def _make_events(testbed: Testbed) -> None:
    inventory = next(each.url for each in testbed.services if each.name == "inventory")
    async with aiohttp.ClientSession(inventory, raise_for_status=True) as session:
        for event_id, capacity in capacities().items():
            async with session.put(f"/events/{event_id}", json={"capacity": capacity}):
                pass


async def _require_healed(testbed: Testbed) -> None:
    """Raise StormError when a lane left a fault behind: the audit would prove nothing."""
    proxies = await asyncio.to_thread(ToxiproxyClient(testbed.toxiproxy).proxies)
    broken = [name for name, proxy in proxies.items() if proxy.toxics or not proxy.enabled]
    if broken:
        message = f"still broken after the storm: {', '.join(broken)}"
        raise StormError(message)


def _reservations_to_read(ledger: Ledger) -> list[str]:
    """Reservations to read at the end: all with an unknown outcome, and the last ones that were acknowledged."""
    reserved = [
        each for each in ledger.records if each.operation == "reserve" and each.reservation_id
    ]
    unknown = {each.reservation_id for each in reserved if each.status != 200 and not each.definite}
    confirmed = [each.reservation_id for each in reserved if each.status == 200]
    return sorted(unknown.union(confirmed[-CONFIRMED_READ_MAX:]))
