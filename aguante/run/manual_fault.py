"""One fault on a testbed that already runs, by hand: journaled as in a run, and healed on the way out.

For a lecture, or to look at something: there is no load of ours, no verdict, and nothing is measured. The
folder ``runs/<time>-inject-<link>/`` holds the journal, so that ``aguante recover`` heals after a kill.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from aguante.clients.toxiproxy_client import ToxiproxyClient, ToxiproxyError
from aguante.drivers.driver import FaultError
from aguante.drivers.router import Drivers
from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.faults.planned_fault import PlannedFault, ToxiproxyFault
from aguante.faults.toxics import TOXICS, complete
from aguante.faults.undo import ToxiproxyUndo
from aguante.run.fault_executor import Faults, write_down
from aguante.run_folder.event_log import EventLog
from aguante.run_folder.events import RunStarted
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.journal import Journal

HOLD_MAX_S = 24 * 3600.0
LOOK_EVERY_S = 1.0
CONNECT_LIMIT_S = 2.0


class WrongValuesError(Exception):
    """A toxic's values make no sense. Says what was found, and what it takes."""


def toxic_of(toxic: str, words: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Attributes by Toxiproxy's names from words: ``3500``, ``jitter_ms=200``; a bare number is the first one.

    Raises:
        WrongValuesError: no such toxic or attribute, or no whole number. Bounds are the driver's to check.
    """
    kind = TOXICS.get(toxic)
    if kind is None:
        message = f"there is no toxic {toxic!r}; there are {', '.join(TOXICS)}"
        raise WrongValuesError(message)
    names = {each.key: each.name for each in kind.attributes} | {
        a.name: a.name for a in kind.attributes
    }
    found: dict[str, int] = {}
    for word in words:
        key, equals, number = word.rpartition("=")
        name = names.get(key) if equals else next(iter(names.values()), None)
        if name is None or not number.isascii() or not number.isdecimal() or len(number) > 12:
            known = ", ".join(f"{each.key}=N" for each in kind.attributes) or "no values"
            message = f"found {word!r}; {toxic} takes {known} (whole numbers)"
            raise WrongValuesError(message)
        found[name] = int(number)
    return tuple(complete(toxic, found).items())


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
    driver = Drivers(ToxiproxyDriver(injection.api, injection.run_id), None)
    began = time.monotonic()

    def now_s() -> float:
        return time.monotonic() - began

    with EventLog(folder.events) as log, Journal.open(folder.journal, injection.run_id) as journal:
        log.write(RunStarted(epoch_ns=time.time_ns()))
        intents = await write_down((planned,), driver, journal)
        faults = Faults(intents, driver, journal, log, now_s)
        try:
            await faults.apply(planned)
            say(f"{await driver.evidence(planned)}; Ctrl-C heals")
            why = await _until_over(injection, intents[0].undo, driver, stop, now_s)
        finally:
            if is_gone(injection.api):
                journal.mark(planned.id, "verified")
            else:
                await faults.heal()
    say(f"healed after {now_s():.1f} s: {why}")


async def _until_over(
    injection: Injection,
    undo: object,
    driver: Drivers,
    stop: asyncio.Event,
    now_s: Callable[[], float],
) -> str:
    assert isinstance(undo, ToxiproxyUndo)  # noqa: S101 - it was prepared from a fault on a link
    while (left_s := injection.for_s - now_s()) > 0:
        try:
            await asyncio.wait_for(stop.wait(), min(LOOK_EVERY_S, left_s))
        except TimeoutError:
            if is_gone(injection.api):
                return "the testbed has ended, and everything injected into it"
            if await _lifted(driver, undo):
                return "lifted by another hand"
        else:
            return "stopped"
    return "its time was over"


async def _lifted(driver: Drivers, undo: ToxiproxyUndo) -> bool:
    try:
        await driver.verify(undo)
    except FaultError:
        return False
    return True


def is_gone(api: str) -> bool:
    """Nobody listens there any more: toxics live in Toxiproxy's memory, so they are gone with it."""
    address = urlsplit(api)
    try:
        with socket.create_connection((address.hostname or "", address.port or 0), CONNECT_LIMIT_S):
            return False
    except ConnectionRefusedError:
        return True
    except OSError:
        return False  # no answer is no proof


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
