"""Faults of one run: written down, applied, undone, healed and verified, each with its time.

The order is the promise of the design: every intent is on disk before the first window opens, and
``heal`` restores and verifies all of them whatever happened in between.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aguante.drivers.driver import FaultDriver, FaultError
from aguante.faults.fault_kind import Undo
from aguante.faults.planned_fault import PlannedFault
from aguante.run_folder.event_log import EventLog
from aguante.run_folder.events import FaultChanged
from aguante.run_folder.journal import Journal, JournalError, MarkState

HEAL_LIMIT_S = 45.0
"""How long heal tries before it gives up and says so (exit 4): twice the limit of the slowest removal."""
HEAL_PAUSE_S = 0.25


def _never() -> bool:
    return False


class HealError(Exception):
    """Something is still broken after HEAL_LIMIT_S. The message names the faults and how to fix them."""


@dataclass(frozen=True)
class Intent:
    """A fault, and the state to restore after it; on disk by the time this object exists."""

    fault: PlannedFault
    undo: Undo


async def write_down(
    faults: Sequence[PlannedFault], driver: FaultDriver[Any], journal: Journal
) -> tuple[Intent, ...]:
    """Check every fault against its driver, then journal every intent; changes nothing yet.

    Raises:
        FaultError: a fault cannot be applied on this testbed.
        JournalError: an intent could not be written: then no fault may be applied.
    """
    intents = tuple([Intent(fault, await driver.prepare(fault)) for fault in faults])
    for intent in intents:
        journal.intend(intent.undo)
    return intents


class Faults:
    """All planned faults of one run on one driver."""

    def __init__(
        self,
        intents: Sequence[Intent],
        driver: FaultDriver[Any],
        journal: Journal,
        log: EventLog,
        now_s: Callable[[], float],
    ) -> None:
        self._driver = driver
        self._journal = journal
        self._log = log
        self._now_s = now_s
        self._undos = {intent.fault.id: intent.undo for intent in intents}
        self._planned = {intent.fault.id: intent.fault for intent in intents}
        self._verified: set[str] = set()
        self._active: set[str] = set()
        self._unwritten: OSError | None = None
        """The first mark or note that the disk refused."""

    def active(self) -> frozenset[str]:
        """The faults that hold now: applied, and not undone."""
        return frozenset(self._active)

    async def apply(self, fault: PlannedFault) -> None:
        """Make one fault real and note when it held.

        Raises:
            FaultError: it could not be applied (noted in the diary first).
        """
        began_s = self._now_s()
        try:
            await self._driver.apply(fault)
        except FaultError as error:
            self._note(fault, "applied", error=str(error))
            raise
        at_s = self._now_s()
        self._active.add(fault.id)
        self._mark(fault.id, "applied")
        evidence = await self._driver.evidence(fault)
        self._note(fault, "applied", took_s=(began_s, at_s), evidence=evidence)

    async def undo(self, fault: PlannedFault) -> None:
        """Lift one fault and verify that it is gone; what fails here is tried again by ``heal``."""
        undo = self._undos[fault.id]
        try:
            await self._undo(undo)
        except FaultError as error:
            self._note(fault, "undone", error=str(error))

    async def heal(self, gone: Callable[[], bool] = _never) -> None:
        """Restore and verify whatever is not yet verified, again and again within HEAL_LIMIT_S.

        A disk that refuses notes keeps nothing from being healed: it is told of afterwards.

        Args:
            gone: whether Toxiproxy has ended, and its toxics with it.

        Raises:
            HealError: at least one fault could not be verified undone.
            OSError: all are healed, and the run folder could not be written meanwhile.
        """
        failures: dict[str, str] = {}
        try:
            async with asyncio.timeout(HEAL_LIMIT_S):
                while True:
                    failures = await self._heal_once(gone)
                    if not failures:
                        break
                    await asyncio.sleep(HEAL_PAUSE_S)
        except TimeoutError:
            said = "; ".join(f"{fault}: {why}" for fault, why in failures.items()) or "no answer"
            message = (
                f"not healed within {HEAL_LIMIT_S:g} s: {said}. "
                "The journal keeps what must be restored: run `aguante recover`."
            )
            raise HealError(message) from None
        if self._unwritten:
            raise self._unwritten

    async def _heal_once(self, gone: Callable[[], bool]) -> dict[str, str]:
        failures = {}
        for fault_id, undo in self._undos.items():
            if fault_id in self._verified:
                continue
            if undo.driver == "toxiproxy" and gone():
                self._gone(undo)
                continue
            try:
                await self._undo(undo)
            except FaultError as error:
                failures[fault_id] = str(error)
        return failures

    def _gone(self, undo: Undo) -> None:
        """Nothing is left to restore; and nothing was read back, so it is not noted as verified."""
        self._verified.add(undo.fault_id)
        self._active.discard(undo.fault_id)
        self._mark(undo.fault_id, "verified")
        error = "Toxiproxy has ended, and this fault with it"
        self._note(self._planned[undo.fault_id], "undone", error=error)

    async def _undo(self, undo: Undo) -> None:
        planned = self._planned[undo.fault_id]
        await self._driver.undo(undo)
        self._active.discard(undo.fault_id)
        self._mark(undo.fault_id, "undone")
        self._note(planned, "undone")
        await self._driver.verify(undo)
        self._verified.add(undo.fault_id)
        self._mark(undo.fault_id, "verified")
        self._note(planned, "verified", evidence=await self._driver.evidence(planned))

    def _mark(self, fault_id: str, state: MarkState) -> None:
        try:
            self._journal.mark(fault_id, state)
        except JournalError as error:
            refusal = error.__cause__
            if not isinstance(refusal, OSError):
                raise
            self._unwritten = self._unwritten or refusal

    def _note(
        self,
        fault: PlannedFault,
        action: Literal["applied", "undone", "verified"],
        *,
        took_s: tuple[float, float] | None = None,
        evidence: str = "",
        error: str = "",
    ) -> None:
        """Into the diary; ``took_s``: from when to when it was done, else just now."""
        began_s, at_s = took_s or (None, self._now_s())
        change = FaultChanged(
            id=fault.id,
            action=action,
            planned_s=fault.start_s if action == "applied" else fault.end_s,
            at_s=at_s,
            began_s=began_s,
            evidence=evidence,
            error=error,
        )
        try:
            self._log.write(change)
        except OSError as failure:
            self._unwritten = self._unwritten or failure
