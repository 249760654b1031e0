"""The work that goes on beside requests: recovery, the outbox, and the marks of sent notices."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.kit.failures.failed import DatabaseFailed
from services.kit.http.server import ReadyCheck
from services.reservations.outbox import OutboxWorker
from services.reservations.recovery import RecoveryWorker
from services.reservations.saga import SagaRunner

READY_POLL_S = 0.05
RECOVER_EVERY_S = 1.0
DELIVER_EVERY_S = 1.0
MARK_EVERY_S = 0.1
DRAIN_S = 1.0
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Background:
    """Everything that runs in the background of one process."""

    runner: SagaRunner
    recovery: RecoveryWorker
    outbox: OutboxWorker

    @asynccontextmanager
    async def running(self, ready: ReadyCheck) -> AsyncIterator[None]:
        """Work from the moment that the database is `ready` until the body ends."""
        work = asyncio.create_task(self._work(ready))
        try:
            yield
        finally:
            await self._stop(work)

    async def _work(self, ready: ReadyCheck) -> None:
        while await ready() is not None:  # noqa: ASYNC110 - a database is polled
            await asyncio.sleep(READY_POLL_S)
        await asyncio.gather(
            repeat("recovery", self.recovery.recover_expired, RECOVER_EVERY_S),
            repeat("outbox", self.outbox.deliver_due, DELIVER_EVERY_S),
            repeat("sent marks", self.runner.marks.flush, MARK_EVERY_S),
        )

    async def _stop(self, work: asyncio.Task[None]) -> None:
        """End the work; what is cut short here, recovery and the outbox do after the next start."""
        if self.runner.running:
            await asyncio.wait(self.runner.running, timeout=DRAIN_S)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await self.runner.compensator.drain(DRAIN_S)
        await asyncio.gather(self.runner.marks.flush(), return_exceptions=True)


async def repeat(
    name: str,
    act: Callable[[], Awaitable[None]],
    every_s: float,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Run `act` every `every_s` seconds until cancelled; a failure ends only that turn."""
    while True:
        try:
            await act()
        except DatabaseFailed as failed:
            _LOG.warning("%s: %s", name, failed)
        except Exception:  # noqa: BLE001 - logged; the next turn may succeed
            _LOG.exception("%s failed unexpectedly", name)
        await sleep(every_s)
