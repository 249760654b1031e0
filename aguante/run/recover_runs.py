"""Heals what killed runs left behind: their journals say what to restore, and the lock of a dead run is free.

A native run has its own testbed, which is swept up together with its proxies and their toxics. On a testbed that
others use too, each proxy is restored and read back.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from aguante.core.values import Value
from aguante.drivers.driver import FaultDriver, FaultError
from aguante.faults.fault_kind import Undo
from aguante.run.compose_recovery import driver_for, gone
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.journal import Journal, JournalError, read_pending, recoverable
from aguante.runtimes.testbed_state import sweep

JOURNAL = "journal"
GONE = "its testbed is gone, with every fault on it"


class _PlanOfAnyVersion(msgspec.Struct):
    """What recovery needs of a plan, which an earlier version may have written."""

    runtime: str = "native"


class Recovered(Value):
    """One fault of a dead run, or its journal."""

    run_id: str
    fault_id: str
    """``journal``: part of the journal cannot be read, so the fault is not known."""
    how: str
    """What was done; empty if it failed."""
    error: str = ""
    """Why the fault may still be active, and the fix; empty if it is healed."""


@dataclass(frozen=True)
class Recovery:
    """How undos are restored; the defaults act on real testbeds."""

    driver_for: Callable[[Undo, RunFolder], Awaitable[FaultDriver[Any]]] = driver_for
    """The driver that restores an undo of a run; may raise FaultError."""
    gone: Callable[[Undo], bool] = gone
    """Whether the target of an undo has ended, and the fault with it."""


ON_REAL_TESTBEDS = Recovery()


async def recover(
    runs: Path, testbeds: Path, recovery: Recovery = ON_REAL_TESTBEDS
) -> tuple[Recovered, ...]:
    """Sweep up what dead testbeds left, then heal every journal of a dead run below ``runs``.

    A journal that cannot be read or written is reported and does not keep the others from being healed.

    Args:
        runs: folder of all runs.
        testbeds: folder of the native runtime's testbeds.
        recovery: how undos are restored.

    Raises:
        TestbedError: the remains of a testbed cannot be ended.
    """
    await sweep(testbeds)
    return tuple([each for path in recoverable(runs) async for each in _heal_run(path, recovery)])


async def _heal_run(path: Path, recovery: Recovery) -> AsyncIterator[Recovered]:
    folder = RunFolder(path.parent)
    try:
        journal = Journal.resume(path)
        if journal is None:  # another process has locked it meanwhile
            return
        with journal:
            undos, errors = read_pending(path)
            for undo in undos:
                yield await _heal(folder, journal, undo, recovery)
        if errors:
            yield _set_aside(folder, errors[0])
    except JournalError as error:
        yield _unhealed(folder, error)


def _unhealed(folder: RunFolder, error: JournalError) -> Recovered:
    return Recovered(run_id=folder.root.name, fault_id=JOURNAL, how="", error=str(error))


def _set_aside(folder: RunFolder, error: JournalError) -> Recovered:
    """An unreadable line is harmless if the testbed is gone; otherwise somebody must check."""
    if not _owned_its_testbed(folder):
        return _unhealed(folder, error)
    aside = folder.journal.with_name(f"{folder.journal.name}.broken")
    try:
        folder.journal.rename(aside)
    except OSError as failure:
        return _unhealed(folder, JournalError(f"{error} ({failure})"))
    how = f"{GONE}; the journal cannot be read, and is kept as {aside.name}"
    return Recovered(run_id=folder.root.name, fault_id=JOURNAL, how=how)


async def _heal(folder: RunFolder, journal: Journal, undo: Undo, recovery: Recovery) -> Recovered:
    run_id = folder.root.name
    if _owned_its_testbed(folder) or recovery.gone(undo):
        journal.mark(undo.fault_id, "verified")
        return Recovered(run_id=run_id, fault_id=undo.fault_id, how=GONE)
    try:
        driver = await recovery.driver_for(undo, folder)
        await driver.undo(undo)
        await driver.verify(undo)
    except FaultError as error:
        return Recovered(run_id=run_id, fault_id=undo.fault_id, how="", error=str(error))
    journal.mark(undo.fault_id, "verified")
    return Recovered(run_id=run_id, fault_id=undo.fault_id, how=f"restored {undo.target}")


def _owned_its_testbed(folder: RunFolder) -> bool:
    """Whether the run had a native testbed of its own; False if its plan cannot be read, since restoring is harmless.

    Not checked for containers, which ``gone`` checks: they are not swept while Docker does not respond.
    """
    try:
        plan = msgspec.json.decode(folder.plan.read_bytes(), type=_PlanOfAnyVersion)
    except (OSError, msgspec.MsgspecError):
        return False
    return plan.runtime == "native"
