"""Takes up what its owner left behind: at start, and every second.

It takes only sagas whose lease has run out, so it never meets an owner that is still at work; should one wake
up late all the same (a paused process), the compare-and-set sends it away.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.kit.failures.failed import DatabaseFailed
from services.reservations.compensation import Compensator
from services.reservations.domain import Failure, Saga, State, recover, without_compensation
from services.reservations.journal import Journal, SagaLostError
from services.reservations.ports import Sagas, Spans

BATCH_MAX = 50
LOST_OWNER = Failure(
    503,
    "commit_unknown",
    "reservations",
    detail="the process that worked on this reservation was lost; everything it took is given back",
)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecoveryWorker:
    """Finishes abandoned sagas: back until CHARGED, forward from there."""

    sagas: Sagas
    journal: Journal
    compensator: Compensator
    spans: Spans

    async def recover_expired(self) -> int:
        """Take up one batch, and return how many. Raises DatabaseFailed."""
        room = min(BATCH_MAX, self.compensator.room)
        claimed = await self.sagas.claim_expired(room) if room > 0 else []
        for saga in claimed:
            with self.spans("recover", saga.reservation_id, saga.trace):
                await self._take_up(saga)
        return len(claimed)

    async def _take_up(self, saga: Saga) -> None:
        decision = recover(saga.state)
        try:
            if decision is not None:
                failure = LOST_OWNER if decision.to is State.COMPENSATING else None
                if not self.compensator.on:
                    decision = without_compensation(decision)
                saga = await self.journal.commit(saga, decision, failure)
        except SagaLostError:
            return
        log.info("recovered %s to %s", saga.reservation_id, saga.state)
        if saga.state is State.COMPENSATING:
            self.compensator.start(saga)


async def repeat(
    name: str,
    act: Callable[[], Awaitable[object]],
    every_s: float,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Run `act` for ever, `every_s` seconds apart; a failure only costs that turn."""
    while True:
        try:
            await act()
        except DatabaseFailed as failed:
            log.warning("%s: %s", name, failed)
        except Exception:
            log.exception("%s failed unexpectedly", name)
        await sleep(every_s)
