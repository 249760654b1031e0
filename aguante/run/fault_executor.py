"""Applies, undoes, heals and verifies the faults of one run, and logs each step with its time.

Two things are guaranteed: every intent is on disk before the first fault window opens, and ``heal`` undoes and
verifies every fault whatever happened in between.
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
"""How long healing is repeated before it fails (exit 4): twice the limit of the slowest removal."""
HEAL_PAUSE_S = 0.25


def _never() -> bool:
    return False


class HealError(Exception):
    """A fault is still active after the limit. The message names the faults and the fix."""


@dataclass(frozen=True)
class JournaledFault:
    """A fault whose undo is in the journal, on disk."""

    fault: PlannedFault
    undo: Undo


async def journal_faults(
    faults: Sequence[PlannedFault], driver: FaultDriver[Any], journal: Journal
) -> tuple[JournaledFault, ...]:
    """Check every fault with its driver, then journal every undo; changes nothing yet.

    Raises:
        FaultError: a fault cannot be applied on this testbed.
        JournalError: an undo could not be journaled, so no fault may be applied.
    """
    journaled = tuple([JournaledFault(fault, await driver.prepare(fault)) for fault in faults])
    for each in journaled:
        journal.intend(each.undo)
    return journaled


class FaultExecutor:
    """Executes all planned faults of one run on one driver."""

    def __init__(
        self,
        faults: Sequence[JournaledFault],
        driver: FaultDriver[Any],
        journal: Journal,
        log: EventLog,
        now_s: Callable[[], float],
    ) -> None:
        self._driver = driver
        self._journal = journal
        self._log = log
        self._now_s = now_s
        self._faults = {each.fault.id: each for each in faults}
        self._verified: set[str] = set()
        self._active: set[str] = set()
        self._write_error: OSError | None = None
        """The first mark or event that could not be written."""

    def active(self) -> frozenset[str]:
        """The faults that were applied and not undone."""
        return frozenset(self._active)

    async def apply(self, fault: PlannedFault) -> None:
        """Apply one fault and log when it took effect.

        Raises:
            FaultError: it could not be applied, which is logged.
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
        """Undo one fault and verify it; ``heal`` repeats what fails here."""
        try:
            await self._undo(self._faults[fault.id])
        except FaultError as error:
            self._note(fault, "undone", error=str(error))

    async def is_undone(self, fault: PlannedFault) -> bool:
        """Whether the fault is undone, perhaps by someone else."""
        try:
            await self._driver.verify(self._faults[fault.id].undo)
        except FaultError:
            return False
        return True

    async def heal(
        self, toxiproxy_ended: Callable[[], bool] = _never, limit_s: float = HEAL_LIMIT_S
    ) -> None:
        """Undo and verify every fault that is not verified yet, repeatedly until all are or time is up.

        Args:
            toxiproxy_ended: whether Toxiproxy has ended, and its toxics with it.
            limit_s: how long to try.

        Raises:
            HealError: at least one fault could not be verified as undone.
            OSError: all are healed, but the run folder could not be written meanwhile.
        """
        failures: dict[str, str] = {}
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    failures = await self._heal_once(toxiproxy_ended)
                    if not failures:
                        break
                    await asyncio.sleep(HEAL_PAUSE_S)
        except TimeoutError:
            found = "; ".join(f"{fault}: {why}" for fault, why in failures.items())
            message = (
                f"not healed within {limit_s:g} s: {found or 'no response'}; "
                "fix: run `aguante recover`, which restores what the journal holds"
            )
            raise HealError(message) from None
        if self._write_error:
            raise self._write_error

    async def _heal_once(self, toxiproxy_ended: Callable[[], bool]) -> dict[str, str]:
        failures = {}
        for fault_id, each in self._faults.items():
            if fault_id in self._verified:
                continue
            if each.undo.driver == "toxiproxy" and toxiproxy_ended():
                self._ended_with_toxiproxy(each.fault)
                continue
            try:
                await self._undo(each)
            except FaultError as error:
                failures[fault_id] = str(error)
        return failures

    def _ended_with_toxiproxy(self, fault: PlannedFault) -> None:
        """Nothing is left to restore. Nothing was read back either, so the log does not say verified."""
        self._verified.add(fault.id)
        self._active.discard(fault.id)
        self._mark(fault.id, "verified")
        self._note(fault, "undone", error="Toxiproxy has ended, and this fault with it")

    async def _undo(self, each: JournaledFault) -> None:
        fault = each.fault
        await self._driver.undo(each.undo)
        self._active.discard(fault.id)
        self._mark(fault.id, "undone")
        self._note(fault, "undone")
        await self._driver.verify(each.undo)
        self._verified.add(fault.id)
        self._mark(fault.id, "verified")
        self._note(fault, "verified", evidence=await self._driver.evidence(fault))

    def _mark(self, fault_id: str, state: MarkState) -> None:
        try:
            self._journal.mark(fault_id, state)
        except JournalError as error:
            cause = error.__cause__
            if not isinstance(cause, OSError):
                raise
            self._write_error = self._write_error or cause

    def _note(
        self,
        fault: PlannedFault,
        action: Literal["applied", "undone", "verified"],
        *,
        took_s: tuple[float, float] | None = None,
        evidence: str = "",
        error: str = "",
    ) -> None:
        """Log one change; ``took_s``: its beginning and end, None: now."""
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
            self._write_error = self._write_error or failure
