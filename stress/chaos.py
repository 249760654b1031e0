"""Injects faults until it is stopped, in four lanes: two of toxics, two of kills. Each lane undoes its own faults.

Each lane has links or services of its own, so that no lane undoes or repeats the fault of another.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aguante.drivers.driver import FaultError
from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.toxiproxy import ToxiproxyFault
from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.testbed.runtime import Testbed
from stress.saga_observer import SagaObserver
from stress.schedule import AIMED_AT, PlannedKill, PlannedToxic, kills, toxics

TOXIC_LANES = 2
AIM_S = 8.0
"""The longest that a kill waits for a charged, unconfirmed reservation; it then kills without one."""
SESSIONS_END_S = 1.0
REMOVAL_LIMIT_S = 30.0


@dataclass(frozen=True)
class Kill:
    """A process that was killed and restarted."""

    at_s: float
    service: str
    caught: frozenset[str]
    """Reservations that it left charged and unconfirmed; empty when that is not certain."""


@dataclass
class Damage:
    """The faults injected so far."""

    toxics: list[ToxiproxyFault] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)

    @property
    def between(self) -> int:
        """The number of kills between pay and confirm."""
        return sum(bool(kill.caught) for kill in self.kills)

    @property
    def caught(self) -> frozenset[str]:
        """Every reservation that a kill left between pay and confirm."""
        return frozenset().union(*(kill.caught for kill in self.kills))


class Chaos:
    """Injects faults into one testbed.

    Args:
        runtime: kills and starts services.
        driver: applies toxics to links.
        observer: reports when a reservation is charged and unconfirmed.
        now_s: seconds since the storm began.
    """

    def __init__(
        self,
        runtime: NativeRuntime,
        driver: ToxiproxyDriver,
        observer: SagaObserver,
        now_s: Callable[[], float],
    ) -> None:
        self.damage = Damage()
        self._runtime = runtime
        self._driver = driver
        self._observer = observer
        self._now_s = now_s
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Make every lane finish and undo its current fault."""
        self._stop.set()

    async def run(self, seed: int, links: Sequence[str], services: Sequence[str]) -> None:
        """Inject faults until ``stop``; return when all are undone.

        Raises:
            FaultError: a toxic could not be applied, undone or verified (in an ExceptionGroup).
            TestbedError: a service did not come up again (in an ExceptionGroup).
        """
        others = [name for name in services if name != AIMED_AT]
        async with asyncio.TaskGroup() as group:
            for lane in range(TOXIC_LANES):
                planned = toxics(seed, lane, links[lane::TOXIC_LANES])
                group.create_task(self._apply_toxics(planned, lane))
            group.create_task(self._kill_services(kills(seed, [AIMED_AT])))
            group.create_task(self._kill_services(kills(seed, others)))

    async def _apply_toxics(self, planned: Iterator[PlannedToxic], lane: int) -> None:
        for number, toxic in enumerate(planned):
            if await self._paused(toxic.pause_s):
                return
            fault = PlannedFault(id=f"toxic-{lane}-{number}", fault=toxic.fault, start_s=0, end_s=1)
            undo = await self._driver.prepare(fault)
            await self._driver.apply(fault)
            try:
                self.damage.toxics.append(toxic.fault)
                await self._paused(toxic.hold_s)
            finally:
                await self._driver.undo(undo)
                await self._driver.verify(undo)

    async def _kill_services(self, planned: Iterator[PlannedKill]) -> None:
        was_down_s = 0.0
        for kill in planned:
            # Up for as long as it was down, or on a slow machine nearly every request would find it down.
            if await self._paused(max(kill.pause_s, was_down_s)):
                return
            caught: frozenset[str] = frozenset()
            if kill.service == AIMED_AT:
                caught = await self.kill_between_pay_and_confirm(kill)
            else:
                await self._runtime.kill(_instance(kill))
            at_s = self._now_s()
            self.damage.kills.append(Kill(at_s, kill.service, caught))
            await self._paused(kill.down_s)
            await self._runtime.start(_instance(kill))
            was_down_s = self._now_s() - at_s

    async def kill_between_pay_and_confirm(self, kill: PlannedKill) -> frozenset[str]:
        """Kill while a reservation is charged and unconfirmed; return the reservations left so."""
        known = self.damage.caught
        async with self._widened(kill.widened_ms):
            await self._observer.wait_for_one(known, AIM_S)
            await self._runtime.kill(_instance(kill))
        if not await self._observer.sessions_end(SESSIONS_END_S):
            return frozenset()
        return await self._observer.between() - known

    @asynccontextmanager
    async def _widened(self, latency_ms: int) -> AsyncIterator[None]:
        """Add latency to reservations' database link, unless it is 0 or the link is down."""
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
        """Wait for ``seconds`` or until the storm is stopped; return whether it is."""
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return False
        return True


def driver_for(testbed: Testbed, seed: int) -> ToxiproxyDriver:
    """The driver of a storm's toxics; its removal limit allows for removals that queue behind each other."""
    return ToxiproxyDriver(testbed.toxiproxy, f"storm-{seed}", removal_limit_s=REMOVAL_LIMIT_S)


def _instance(kill: PlannedKill) -> str:
    return f"{kill.service}-1"
