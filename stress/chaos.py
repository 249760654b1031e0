"""Breaks things until it is told to stop: two lanes of toxics, two of kills. Each lane fixes what it broke.

A lane of toxics owns its links and a lane of kills its services, so that no lane meets another's work.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aguante.drivers.driver import FaultError
from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.faults.planned_fault import PlannedFault, ToxiproxyFault
from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.testbed.runtime import Testbed
from stress.schedule import AIMED_AT, Gust, Strike, gusts, strikes
from stress.witness import Witness

GUST_LANES = 2
AIM_S = 8.0
"""How long a strike waits for its moment; without one it strikes all the same, and is not counted as aimed."""
SILENCE_S = 1.0
REMOVAL_LIMIT_S = 30.0


@dataclass(frozen=True)
class Kill:
    """A process that was killed, and started again."""

    at_s: float
    service: str
    caught: frozenset[str]
    """Reservations that it left paid and not confirmed; empty when it cannot be told for sure."""


@dataclass
class Damage:
    """What has been done so far."""

    toxics: list[ToxiproxyFault] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)

    @property
    def between(self) -> int:
        """Kills that fell between pay and confirm."""
        return sum(bool(kill.caught) for kill in self.kills)

    @property
    def caught(self) -> frozenset[str]:
        """Every reservation that was caught there."""
        return frozenset().union(*(kill.caught for kill in self.kills))


class Chaos:
    """Breaks one testbed.

    Args:
        runtime: kills and starts services.
        driver: puts toxics on links.
        witness: says when a reservation is paid and not confirmed.
        now_s: seconds since the storm began.
    """

    def __init__(
        self,
        runtime: NativeRuntime,
        driver: ToxiproxyDriver,
        witness: Witness,
        now_s: Callable[[], float],
    ) -> None:
        self.damage = Damage()
        self._runtime = runtime
        self._driver = driver
        self._witness = witness
        self._now_s = now_s
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Let every lane end what it is at, and fix it."""
        self._stop.set()

    async def rage(self, seed: int, links: Sequence[str], services: Sequence[str]) -> None:
        """Break things until ``stop``; returns when all is fixed.

        Raises:
            FaultError: a toxic could not be applied, undone or verified (in an ExceptionGroup).
            TestbedError: a service did not come up again (in an ExceptionGroup).
        """
        others = [name for name in services if name != AIMED_AT]
        async with asyncio.TaskGroup() as group:
            for lane in range(GUST_LANES):
                blowing = gusts(seed, lane, links[lane::GUST_LANES])
                group.create_task(self._blow(blowing, lane))
            group.create_task(self._strike_all(strikes(seed, [AIMED_AT])))
            group.create_task(self._strike_all(strikes(seed, others)))

    async def _blow(self, blowing: Iterator[Gust], lane: int) -> None:
        for number, gust in enumerate(blowing):
            if await self._paused(gust.pause_s):
                return
            fault = PlannedFault(id=f"gust-{lane}-{number}", fault=gust.fault, start_s=0, end_s=1)
            undo = await self._driver.prepare(fault)
            await self._driver.apply(fault)
            try:
                self.damage.toxics.append(gust.fault)
                await self._paused(gust.hold_s)
            finally:
                await self._driver.undo(undo)
                await self._driver.verify(undo)

    async def _strike_all(self, striking: Iterator[Strike]) -> None:
        was_down_s = 0.0
        for strike in striking:
            # Up for as long as it was down: on a slow machine too, more comes to pass than "disconnected".
            if await self._paused(max(strike.pause_s, was_down_s)):
                return
            caught: frozenset[str] = frozenset()
            if strike.service == AIMED_AT:
                caught = await self.strike_aimed(strike)
            else:
                await self._runtime.kill(_instance(strike))
            at_s = self._now_s()
            self.damage.kills.append(Kill(at_s, strike.service, caught))
            await self._paused(strike.down_s)
            await self._runtime.start(_instance(strike))
            was_down_s = self._now_s() - at_s

    async def strike_aimed(self, strike: Strike) -> frozenset[str]:
        """Kill at a moment when a reservation is paid and not confirmed; return which were left so."""
        known = self.damage.caught
        async with self._widened(strike.widened_ms):
            await self._witness.wait_for_one(known, AIM_S)
            await self._runtime.kill(_instance(strike))
        if not await self._witness.silence(SILENCE_S):
            return frozenset()
        return await self._witness.between() - known

    @asynccontextmanager
    async def _widened(self, latency_ms: int) -> AsyncIterator[None]:
        """Latency on reservations' database; none when it is down just then, or none is wanted."""
        toxic = ToxiproxyFault(
            link=f"{AIMED_AT}-db", toxic="latency", attributes=(("latency", latency_ms),)
        )
        fault = PlannedFault(id="widening", fault=toxic, start_s=0, end_s=1)
        undo = None
        if latency_ms:
            with suppress(FaultError):
                undo = await self._driver.prepare(fault)
        if undo is None:
            yield
            return
        await self._driver.apply(fault)
        try:
            yield
        finally:
            await self._driver.undo(undo)
            await self._driver.verify(undo)

    async def _paused(self, seconds: float) -> bool:
        """Wait, and return at once when the storm is over; whether it is."""
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return False
        return True


def driver_for(testbed: Testbed, seed: int) -> ToxiproxyDriver:
    """The driver of a storm's toxics, with time for removals that wait behind each other."""
    return ToxiproxyDriver(testbed.toxiproxy, f"storm-{seed}", removal_limit_s=REMOVAL_LIMIT_S)


def _instance(strike: Strike) -> str:
    return f"{strike.service}-1"
