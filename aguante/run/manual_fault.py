"""Injects one fault into a running testbed by hand, for a demonstration: no load, no measures, no verdict.

The fault is journaled and healed as in a run. The journal is in ``runs/<time>-inject-<link>/``, so that
``aguante recover`` heals it after a kill.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from aguante.clients.toxiproxy_client import ToxiproxyClient, ToxiproxyError, is_gone
from aguante.drivers.driver import FaultError
from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.toxiproxy import TOXICS, Toxic, ToxiproxyFault, ToxiproxyUndo
from aguante.run.fault_executor import FaultExecutor, journal_faults
from aguante.run_folder.event_log import EventLog
from aguante.run_folder.events import RunStarted
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.journal import Journal

HOLD_MAX_S = 24 * 3600.0
POLL_S = 1.0
DIGITS_MAX = 12


class WrongValuesError(Exception):
    """The values of a toxic are invalid. The message says what was found and what is expected."""


def fault_on_link(
    link: str, toxic: str, words: Sequence[str], *, upstream: bool = False, toxicity: float = 1.0
) -> ToxiproxyFault:
    """A fault from words such as ``3500`` and ``jitter_ms=200``; a bare number is the first attribute.

    Raises:
        WrongValuesError: an unknown toxic or attribute, or a value that is no whole number or out of bounds.
    """
    if toxic not in TOXICS:
        message = f"unknown toxic {toxic!r}; choose {', '.join(TOXICS)}"
        raise WrongValuesError(message)
    fault = ToxiproxyFault(
        link=link,
        toxic=toxic,
        stream="upstream" if upstream else "downstream",
        toxicity=toxicity,
        attributes=tuple(dict(_attribute(TOXICS[toxic], word) for word in words).items()),
    )
    problems = fault.problems()
    if problems:
        raise WrongValuesError("; ".join(map(str, problems)))
    return fault.model_copy(update={"attributes": tuple(fault.complete().items())})


def _attribute(toxic: Toxic, word: str) -> tuple[str, int]:
    """Toxiproxy's own name and the value, from ``jitter_ms=200``, ``jitter=200`` or a bare number."""
    names = {name: each.name for each in toxic.options for name in (each.key, each.name)}
    key, equals, number = word.rpartition("=")
    name = names.get(key) if equals else next(iter(names.values()), None)
    if name is None or not number.isascii() or not number.isdecimal() or len(number) > DIGITS_MAX:
        known = ", ".join(f"{each.key}=N" for each in toxic.options) or "no values"
        message = f"found {word!r}, expected for {toxic.name}: {known} (whole numbers)"
        raise WrongValuesError(message)
    return name, int(number)


@dataclass(frozen=True)
class Injection:
    """One fault, its target and its duration."""

    run_id: str
    api: str
    """Base URL of Toxiproxy's API."""
    fault: ToxiproxyFault
    for_s: float
    """It is undone after this time at the latest."""


async def hold(
    injection: Injection, runs: Path, stop: asyncio.Event, report: Callable[[str], None]
) -> None:
    """Apply a fault, keep it until ``stop``, its time limit or an undo by someone else; then heal and verify.

    Raises:
        FaultError: it could not be applied; it is healed all the same.
        JournalError: the journal cannot be written; the fault was not applied.
        HealError: it could not be verified as undone.
    """
    folder = RunFolder.create(runs, injection.run_id)
    planned = PlannedFault(id="inject", fault=injection.fault, start_s=0.0, end_s=injection.for_s)
    driver = ToxiproxyDriver(injection.api, injection.run_id)
    began = time.monotonic()

    def now_s() -> float:
        return time.monotonic() - began

    with EventLog(folder.events) as log, Journal.open(folder.journal, injection.run_id) as journal:
        log.write(RunStarted(epoch_ns=time.time_ns()))
        journaled = await journal_faults((planned,), driver, journal)
        faults = FaultExecutor(journaled, driver, journal, log, now_s)
        try:
            await faults.apply(planned)
            report(f"{await driver.evidence(planned)}; Ctrl-C heals")
            why = await _until_over(injection, planned, faults, stop, now_s)
        finally:
            if is_gone(injection.api):
                journal.mark(planned.id, "verified")
            else:
                await faults.heal()
    report(f"healed after {now_s():.1f} s: {why}")


async def _until_over(
    injection: Injection,
    planned: PlannedFault,
    faults: FaultExecutor,
    stop: asyncio.Event,
    now_s: Callable[[], float],
) -> str:
    while (left_s := injection.for_s - now_s()) > 0:
        try:
            await asyncio.wait_for(stop.wait(), min(POLL_S, left_s))
        except TimeoutError:
            if is_gone(injection.api):
                return "the testbed has ended, and every fault on it"
            if await faults.is_undone(planned):
                return "undone by someone else"
        else:
            return "stopped"
    return "its time was up"


async def heal_testbed(api: str, links: Sequence[str]) -> tuple[str, ...]:
    """Remove every toxic and enable every proxy of these links (none given: of all), and verify it.

    Returns:
        What was healed, one line each; empty if nothing was broken.

    Raises:
        FaultError: Toxiproxy does not respond, a link is unknown, or something could not be undone.
    """
    client, driver = ToxiproxyClient(api), ToxiproxyDriver(api, "heal")
    try:
        proxies = await asyncio.to_thread(client.proxies)
    except ToxiproxyError as error:
        message = f"Toxiproxy at {api}: {error}"
        raise FaultError(message) from error
    unknown = [link for link in links if link not in proxies]
    if unknown:
        message = f"unknown link {', '.join(unknown)}; choose {', '.join(sorted(proxies))}"
        raise FaultError(message)
    done = []
    for name in links or sorted(proxies):
        proxy = proxies[name]
        broken = [toxic.name for toxic in proxy.toxics] + ([] if proxy.enabled else [""])
        for toxic in broken:
            undo = ToxiproxyUndo(fault_id="heal", api=api, proxy=name, toxic=toxic)
            await driver.undo(undo)
            await driver.verify(undo)
            done.append(f"{name}: {f'toxic {toxic} removed' if toxic else 'enabled'}")
    return tuple(done)
