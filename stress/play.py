"""Plays one storm: testbed up, customers and chaos side by side, everything fixed, rest, audit."""

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
from stress.customers import Customers, ask_what_became_of
from stress.ledger import Ledger
from stress.result import Result, answers_agree, count, objections, reads_tell_the_end
from stress.schedule import capacities, orders
from stress.witness import witness

OUTSTANDING_MAX = 200
"""Customers at once; more wait at the door and come late."""
TELL_EVERY_S = 10.0
GOOD_READ_MAX = 100


@dataclass(frozen=True)
class Wanted:
    """How much of a storm."""

    seed: int
    reservations: int
    """Orders at least."""
    kills_between: int
    """Kills between pay and confirm at least."""
    rate_rps: float
    """Orders a second."""
    limit_s: float
    """When it is given up because these were not reached."""
    policy: str = "default"


class StormError(Exception):
    """The storm did not come to its end, so that it proves nothing."""


@dataclass(frozen=True)
class Storm:
    """One storm, to be played once.

    Args:
        wanted: how much of it.
        spec: our own system.
        folder: receives ledger, tables and logs.
        runtime: starts the testbed.
        tell: takes a line on how it goes, now and then.
    """

    wanted: Wanted
    spec: TestbedSpec
    folder: RunFolder
    runtime: NativeRuntime
    tell: Callable[[str], None]

    async def play(self) -> Result:
        """Let it rage, fix everything, wait for rest, and audit.

        Raises:
            StormError: not enough of it within the limit, or something is still broken.
            TestbedError: the testbed, or a service that was killed, did not come up.
            FaultError: a toxic could not be put on or lifted.
            DumpError: the tables cannot be read at the end.
        """
        async with self.runtime.running(self.spec, self.wanted.policy) as testbed:
            try:
                with Ledger(self.folder.records) as ledger:
                    return await self._play_on(testbed, ledger)
            finally:
                logs = testbed.state / "logs"
                shutil.copytree(logs, self.folder.logs, dirs_exist_ok=True)

    async def _play_on(self, testbed: Testbed, ledger: Ledger) -> Result:
        await _make_events(testbed)
        async with Client(testbed.gateway, ledger) as client, witness(testbed) as watching:
            driver = driver_for(testbed, self.wanted.seed)
            chaos = Chaos(self.runtime, driver, watching, ledger.now_s)
            customers = Customers(client)
            await self._rage(customers, chaos, ledger)
            await _require_healed(testbed)
            settled = await settle(self.spec.settle, testbed)
            readings = await ask_what_became_of(client, _worth_asking(ledger))
        await take_tables(testbed, self.folder)
        with opened(self.spec, self.folder) as (evidence, measures):
            tally = count(evidence, chaos.damage)
            told = (answers_agree(customers), reads_tell_the_end(evidence, readings))
        against = objections(tally, settled, (*measures, *told), self.wanted.kills_between)
        return Result(self.wanted.seed, tally, settled, (*measures, *told), against)

    async def _rage(self, customers: Customers, chaos: Chaos, ledger: Ledger) -> None:
        """Customers and chaos side by side until there was enough; then all that was broken is fixed."""
        links = [link.name for link in self.spec.links]
        services = [service.name for service in self.spec.services]
        raging = asyncio.create_task(chaos.rage(self.wanted.seed, links, services))
        serving = asyncio.create_task(self._serve(customers, chaos, ledger))
        try:
            await asyncio.wait(
                {raging, serving},
                timeout=self.wanted.limit_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            late = not raging.done() and not serving.done()
        finally:
            chaos.stop()
            if not serving.done():
                serving.cancel()
            await asyncio.gather(raging, serving, return_exceptions=True)
        raging.result()
        if late:
            raise StormError(self._too_little(ledger, chaos))
        serving.result()

    async def _serve(self, customers: Customers, chaos: Chaos, ledger: Ledger) -> None:
        """Let customers in, until there were enough of them and enough kills at the right moment."""
        room = asyncio.Semaphore(OUTSTANDING_MAX)
        told_s = 0.0
        async with asyncio.TaskGroup() as group:
            for number, order in enumerate(orders(self.wanted.seed, self.wanted.rate_rps)):
                if number >= self.wanted.reservations and self._enough(chaos):
                    return
                await asyncio.sleep(max(0.0, order.at_s - ledger.now_s()))
                await room.acquire()
                group.create_task(customers.play(order)).add_done_callback(lambda _: room.release())
                if ledger.now_s() > told_s + TELL_EVERY_S:
                    told_s = ledger.now_s()
                    self.tell(self._progress(number + 1, ledger, chaos))

    def _enough(self, chaos: Chaos) -> bool:
        return chaos.damage.between >= self.wanted.kills_between

    def _progress(self, started: int, ledger: Ledger, chaos: Chaos) -> str:
        damage = chaos.damage
        good = sum(each.status == 200 and each.operation == "reserve" for each in ledger.records)
        return (
            f"{ledger.now_s():5.0f} s  {started} of {self.wanted.reservations} orders, {good} answers of 200, "
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
    """Raises StormError: a lane left something behind, so that what follows would prove nothing."""
    proxies = await asyncio.to_thread(ToxiproxyClient(testbed.toxiproxy).proxies)
    broken = [name for name, proxy in proxies.items() if proxy.toxics or not proxy.enabled]
    if broken:
        message = f"still broken after the storm: {', '.join(broken)}"
        raise StormError(message)


def _worth_asking(ledger: Ledger) -> list[str]:
    """Reservations to read in the end: all whose end was not told, and the last that were acknowledged."""
    named = [each for each in ledger.records if each.operation == "reserve" and each.reservation_id]
    unknown = {each.reservation_id for each in named if each.status != 200 and not each.definite}
    good = [each.reservation_id for each in named if each.status == 200]
    return sorted(unknown.union(good[-GOOD_READ_MAX:]))
