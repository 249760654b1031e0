"""One fault on a testbed that already runs, applied by hand: journaled as in a run, and undone at the end.

It serves a lecture or an exploration: it brings no load and no verdict, and nothing is measured. The journal in
``runs/<time>-inject-<link>/`` lets ``aguante recover`` undo the fault after a kill.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aguante.clients.toxiproxy_client import ToxiproxyClient, ToxiproxyError, is_gone
from aguante.drivers.driver import FaultDriver, FaultError
from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.toxiproxy import TOXICS, Toxic, ToxiproxyFault, ToxiproxyUndo
from aguante.run.fault_executor import Faults, write_down
from aguante.run_folder.event_log import EventLog
from aguante.run_folder.events import RunStarted
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.journal import Journal

HOLD_MAX_S = 24 * 3600.0
LOOK_EVERY_S = 1.0
DIGITS_MAX = 12


class WrongValuesError(Exception):
    """A toxic's values make no sense. Says what was found, and what it takes."""


def fault_on_link(
    link: str, toxic: str, words: Sequence[str], *, upstream: bool = False, toxicity: float = 1.0
) -> ToxiproxyFault:
    """A fault from words: ``3500``, ``jitter_ms=200``; a bare number is the toxic's first attribute.

    Raises:
        WrongValuesError: no such toxic or attribute, no whole number, or out of bounds.
    """
    if toxic not in TOXICS:
        message = f"there is no toxic {toxic!r}; there are {', '.join(TOXICS)}"
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
    """Toxiproxy's own name and the number; the word may have that name, or the key of a file."""
    names = {name: each.name for each in toxic.options for name in (each.key, each.name)}
    key, equals, number = word.rpartition("=")
    name = names.get(key) if equals else next(iter(names.values()), None)
    if name is None or not number.isascii() or not number.isdecimal() or len(number) > DIGITS_MAX:
        known = ", ".join(f"{each.key}=N" for each in toxic.options) or "no values"
        message = f"found {word!r}; {toxic.name} takes {known} (whole numbers)"
        raise WrongValuesError(message)
    return name, int(number)


@dataclass(frozen=True)
class Injection:
    """One fault, where, and for how long."""

    run_id: str
    api: str
    """Base URL of Toxiproxy's API."""
    fault: ToxiproxyFault
    for_s: float
    """It is lifted after this time, at the latest."""


async def hold(
    injection: Injection, runs: Path, stop: asyncio.Event, say: Callable[[str], None]
) -> None:
    """Apply a fault, keep it until ``stop``, its time, or its end by another hand; then heal and verify.

    Raises:
        FaultError: it could not be applied; what was written down is healed all the same.
        JournalError: the journal cannot be written; no fault was applied.
        HealError: it could not be verified undone.
    """
    folder = RunFolder.create(runs, injection.run_id)
    planned = PlannedFault(id="inject", fault=injection.fault, start_s=0.0, end_s=injection.for_s)
    driver: FaultDriver[Any] = ToxiproxyDriver(injection.api, injection.run_id)
    began = time.monotonic()

    def now_s() -> float:
        return time.monotonic() - began

    async def is_lifted() -> bool:
        try:
            await driver.verify(intents[0].undo)
        except FaultError:
            return False
        return True

    with EventLog(folder.events) as log, Journal.open(folder.journal, injection.run_id) as journal:
        log.write(RunStarted(epoch_ns=time.time_ns()))
        intents = await write_down((planned,), driver, journal)
        faults = Faults(intents, driver, journal, log, now_s)
        try:
            await faults.apply(planned)
            say(f"{await driver.evidence(planned)}; Ctrl-C heals")
            why = await _until_over(injection, is_lifted, stop, now_s)
        finally:
            if is_gone(injection.api):
                journal.mark(planned.id, "verified")
            else:
                await faults.heal()
    say(f"healed after {now_s():.1f} s: {why}")


async def _until_over(
    injection: Injection,
    is_lifted: Callable[[], Awaitable[bool]],
    stop: asyncio.Event,
    now_s: Callable[[], float],
) -> str:
    """Wait until the fault is over; returns why it is."""
    while (left_s := injection.for_s - now_s()) > 0:
        try:
            await asyncio.wait_for(stop.wait(), min(LOOK_EVERY_S, left_s))
        except TimeoutError:
            if is_gone(injection.api):
                return "the testbed has ended, and everything injected into it"
            if await is_lifted():
                return "lifted by somebody else"
        else:
            return "stopped"
    return "its time was over"


async def heal_testbed(api: str, links: Sequence[str]) -> tuple[str, ...]:
    """Take every toxic off, and enable every proxy, of these links (all, when there are none); verified.

    Returns:
        What was healed, one line each; empty where nothing was broken.

    Raises:
        FaultError: Toxiproxy does not answer, knows no such link, or something could not be undone.
    """
    client, driver = ToxiproxyClient(api), ToxiproxyDriver(api, "heal")
    try:
        proxies = await asyncio.to_thread(client.proxies)
    except ToxiproxyError as error:
        message = f"Toxiproxy at {api}: {error}"
        raise FaultError(message) from error
    unknown = [link for link in links if link not in proxies]
    if unknown:
        message = f"no link {', '.join(unknown)}; there are {', '.join(sorted(proxies))}"
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
