"""Takes up the sagas that a lost owner left behind: at start, and every second.

It takes only sagas whose lease has ended, so it never meets an owner that is still at work. An owner that wakes up
late all the same (a paused process) loses the next compare-and-set.
"""

import logging
from dataclasses import dataclass

from services.kit.telemetry.tracing import Tracing
from services.reservations.compensation import Compensator
from services.reservations.domain import Failure, Saga, State, recover
from services.reservations.repository import Sagas
from services.reservations.transition_log import SagaLostError, TransitionLog

BATCH_MAX = 50
LOST_OWNER = Failure(
    503,
    "commit_unknown",
    "reservations",
    detail="the process that worked on this reservation was lost; everything it took is given back",
)
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecoveryWorker:
    """Finishes abandoned sagas: backward until CHARGED, forward from there."""

    sagas: Sagas
    log: TransitionLog
    compensator: Compensator
    tracing: Tracing

    async def recover_expired(self) -> None:
        """Take up one batch. Raises DatabaseFailed."""
        room = min(BATCH_MAX, self.compensator.room)
        for saga in await self.sagas.claim_expired(room) if room > 0 else []:
            attributes = {"aguante.reservation_id": saga.reservation_id}
            with self.tracing.internal("recover", attributes, link_to=saga.trace):
                await self._take_up(saga)

    async def _take_up(self, saga: Saga) -> None:
        decision = recover(saga.state)
        try:
            if decision is not None:
                failure = LOST_OWNER if decision.to is State.COMPENSATING else None
                saga = await self.log.commit(saga, self.compensator.allowed(decision), failure)
        except SagaLostError:
            return
        _LOG.info("recovered %s to %s", saga.reservation_id, saga.state)
        if saga.state is State.COMPENSATING:
            self.compensator.start(saga)
