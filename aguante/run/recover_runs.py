"""Heals what killed runs left behind: their journals say what, and a dead run's lock can be had.

A native run's testbed was its own: when what is left of it has been swept up, its proxies are gone and
their toxics with them. On a testbed that others use too, each proxy is restored and read back.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aguante.core.values import Value
from aguante.drivers.driver import FaultDriver, FaultError
from aguante.faults.fault_kind import Undo
from aguante.plan.plan import Plan
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.journal import Journal, JournalError, read_pending, recoverable
from aguante.runtimes.testbed_state import sweep

DriverFor = Callable[[Undo], Awaitable[FaultDriver[Any]]]
JOURNAL = "journal"
GONE = "its testbed is gone, and everything injected into it"


class Recovered(Value):
    """One fault of one dead run, or its journal."""

    run_id: str
    fault_id: str
    """``journal``: part of it cannot be read, and no fault is known by name."""
    how: str
    """What was done; empty when it failed."""
    error: str = ""
    """Why it still holds, and how to fix it; empty when it is healed."""


def _never(_: Undo) -> bool:
    return False


async def recover(
    runs: Path,
    testbeds: Path,
    driver_for: DriverFor,
    gone: Callable[[Undo], bool] = _never,
) -> tuple[Recovered, ...]:
    """Sweep up what dead testbeds left, then heal every journal of a dead run below ``runs``.

    Args:
        runs: folder of run folders.
        testbeds: folder of the native runtime's testbeds.
        driver_for: the driver that restores an undo.
        gone: whether what an undo would restore has ended since, and the fault with it.

    A journal that cannot be read or written is a failure of its own: the others are healed all the same.

    Raises:
        TestbedError: what is left of a testbed cannot be ended.
    """
    await sweep(testbeds)
    return tuple(
        [each for path in recoverable(runs) async for each in _heal_run(path, driver_for, gone)]
    )


async def _heal_run(
    path: Path,
    driver_for: DriverFor,
    gone: Callable[[Undo], bool],
) -> AsyncIterator[Recovered]:
    try:
        journal = Journal.resume(path)
        if journal is None:  # taken by somebody else between the two looks
            return
        with journal:
            undos, broken = read_pending(path)
            for undo in undos:
                yield await _heal(path.parent, journal, undo, driver_for, gone)
        if broken:
            yield _set_aside(path, broken[0])
    except JournalError as error:
        yield _unhealed(path, error)


def _unhealed(path: Path, error: JournalError) -> Recovered:
    return Recovered(run_id=path.parent.name, fault_id=JOURNAL, how="", error=str(error))


def _set_aside(path: Path, error: JournalError) -> Recovered:
    """What a broken line hides is gone where the testbed is; elsewhere somebody must look."""
    if not _owned_its_testbed(path.parent):
        return _unhealed(path, error)
    aside = path.with_name(f"{path.name}.broken")
    try:
        path.rename(aside)
    except OSError as failure:
        return _unhealed(path, JournalError(f"{error} ({failure})"))
    how = f"{GONE}; the journal makes no sense, and is kept as {aside.name}"
    return Recovered(run_id=path.parent.name, fault_id=JOURNAL, how=how)


async def _heal(
    run: Path,
    journal: Journal,
    undo: Undo,
    driver_for: DriverFor,
    gone: Callable[[Undo], bool],
) -> Recovered:
    if _owned_its_testbed(run) or gone(undo):
        journal.mark(undo.fault_id, "verified")
        return Recovered(run_id=run.name, fault_id=undo.fault_id, how=GONE)
    try:
        driver = await driver_for(undo)
        await driver.undo(undo)
        await driver.verify(undo)
    except FaultError as error:
        return Recovered(run_id=run.name, fault_id=undo.fault_id, how="", error=str(error))
    journal.mark(undo.fault_id, "verified")
    return Recovered(run_id=run.name, fault_id=undo.fault_id, how=f"restored {undo.target}")


def _owned_its_testbed(run: Path) -> bool:
    """A plan that cannot be read is taken for one of a shared testbed: restoring does no harm.

    Containers are asked for (``gone``): while Docker does not answer, nothing has been swept.
    """
    try:
        return Plan.model_validate_json(RunFolder(run).plan.read_bytes()).runtime == "native"
    except (OSError, ValidationError):
        return False
