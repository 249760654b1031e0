"""Ends a testbed in order: services first, because they still use the servers; PostgreSQL and sidecars last."""

import asyncio
import contextlib
import signal
from collections.abc import Sequence
from pathlib import Path

import psutil

from aguante.clients.docker_cli import Docker
from aguante.clients.docker_project import TELEMETRY, end_project
from aguante.runtimes.processes import ProcessRef, end, wait_until
from aguante.runtimes.sidecars import SIDECARS
from aguante.runtimes.testbed_state import SavedState, is_held, remove_folder
from aguante.testbed.runtime import TestbedError

SERVICE_GRACE_S = 7.5
"""By contract a service needs up to 5 s for requests in flight and 2 s for its last spans."""
SERVER_GRACE_S = 5.0
OWNER_LIMIT_S = 30.0
POLL_S = 0.05

_LAST = (TELEMETRY, "toxiproxy", "postgres", *SIDECARS)


async def take_down(processes: Sequence[ProcessRef]) -> None:
    """End processes of one testbed; processes that have already ended are ignored.

    Raises:
        TestbedError: a process cannot be ended.
    """
    by_name = {name: [each for each in processes if each.name == name] for name in _LAST}
    services = [each for each in processes if each.name not in _LAST]
    for paused in filter(None, (each.process() for each in services)):
        with contextlib.suppress(psutil.NoSuchProcess):
            paused.send_signal(signal.SIGCONT)  # a stopped process would not handle SIGTERM
    await end(services, signal.SIGTERM, SERVICE_GRACE_S)
    await end(by_name[TELEMETRY], signal.SIGTERM, SERVER_GRACE_S)  # it has the services' last spans
    await end(by_name["toxiproxy"], signal.SIGTERM, SERVER_GRACE_S)
    # SIGINT is PostgreSQL's fast shutdown; after SIGTERM it waits until every client has disconnected.
    await end(by_name["postgres"], signal.SIGINT, SERVER_GRACE_S)
    # After the relay, which sends them its remaining spans.
    sidecars = [each for name in SIDECARS for each in by_name[name]]
    await end(sidecars, signal.SIGTERM, SERVER_GRACE_S)


async def end_testbed(saved: SavedState) -> None:
    """End a testbed that another process started, and remove its folder.

    If its runner is alive, the runner receives SIGTERM and ends the testbed itself.

    Raises:
        TestbedError: it did not end.
    """
    if saved.testbed is None:
        message = (
            f"testbed {saved.id} is still starting: wait, or end its runner (pid {saved.owner.pid})"
        )
        raise TestbedError(message)
    root = saved.testbed.state
    if not saved.detached and saved.owner.alive():
        await _end_by_owner(saved, root)
        return
    if saved.project:
        await end_project(Docker(), saved.project, [each.name for each in saved.testbed.services])
    await take_down(saved.processes)
    await asyncio.to_thread(remove_folder, root)


async def _end_by_owner(saved: SavedState, root: Path) -> None:
    if process := saved.owner.process():
        process.send_signal(signal.SIGTERM)
    if not await wait_until(lambda: not (root.exists() and is_held(root)), OWNER_LIMIT_S, POLL_S):
        message = (
            f"the runner of testbed {saved.id} (pid {saved.owner.pid}) did not end it within "
            f"{OWNER_LIMIT_S:g} s: end that process; the next start removes the leftovers"
        )
        raise TestbedError(message)
