"""Applies faults on processes by signal: kill, stop, pause and restart, through the runtime that started them.

The undo is a state, as for every driver: each process alive, not stopped, and ready. ``undo`` starts a process and
``verify`` waits until it is ready, since the time that this takes is part of the recovery.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping

from aguante.clients.readiness import is_ready
from aguante.drivers.driver import FaultError, as_fault_error
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.process import ProcessFault, ProcessUndo
from aguante.run_folder.events import STARTED_ANEW
from aguante.testbed.runtime import ProcessControl, RunningService, TestbedError

READY_LIMIT_S = 15.0
POLL_S = 0.05
SIGNALLED_WITHIN_S = 0.1
"""A process takes seconds to shut down; the fault begins with the signal."""


class ProcessDriver:
    """A :class:`~aguante.drivers.driver.FaultDriver` for the processes of one testbed.

    Args:
        control: the runtime that started them.
        ready_paths: service -> path that responds with 200 when it can serve (``TestbedSpec.ready_paths``).
        ready: whether a URL responds with 200.
        ready_limit_s: how long a process may take to become ready again.
    """

    def __init__(
        self,
        control: ProcessControl,
        ready_paths: Mapping[str, str],
        *,
        ready: "Callable[[str], Awaitable[bool]] | None" = None,
        ready_limit_s: float = READY_LIMIT_S,
    ) -> None:
        self._control = control
        self._ready_paths = ready_paths
        self._ready = ready or is_ready
        self._ready_limit_s = ready_limit_s
        self._undos: dict[str, ProcessUndo] = {}
        self._under_way: dict[str, asyncio.Future[None]] = {}

    async def prepare(self, fault: PlannedFault) -> ProcessUndo:
        """Find the processes, and return that they must run. Changes nothing.

        Raises:
            FaultError: there is no such process, or one does not run.
        """
        wanted = fault.of(ProcessFault)
        testbed = self._control.testbed
        chosen = [
            each
            for each in testbed.services
            if each.name == wanted.service and wanted.instance in ("", each.instance)
        ]
        if not chosen:
            known = ", ".join(each.instance for each in testbed.services)
            message = f"fault {fault.id}: there is no process {fault.target}; there are {known}"
            raise FaultError(message)
        for each in chosen:
            if await self._control.state(each.instance) != "running":
                message = (
                    f"fault {fault.id}: {each.instance} (pid {each.pid}) did not run before anything "
                    "was injected; start a new testbed (its log says why it ended)"
                )
                raise FaultError(message)
        undo = ProcessUndo(
            fault_id=fault.id,
            testbed=testbed.id,
            instances=tuple(each.instance for each in chosen),
            pids=tuple(each.pid for each in chosen),
        )
        self._undos[fault.id] = undo
        return undo

    async def apply(self, fault: PlannedFault) -> None:
        """Send the signal; returns when it has taken effect, or (stop, restart) when it was sent.

        Raises:
            FaultError: the process has ended, or the signal has no effect.
        """
        act = self._action(fault.variant)
        instances = self._undos[fault.id].instances
        work = asyncio.ensure_future(_all(act, instances))
        limit_s = SIGNALLED_WITHIN_S if fault.variant in ("stop", "restart") else None
        await asyncio.wait({work}, timeout=limit_s)
        if not work.done():
            self._under_way[fault.id] = work
            return
        with as_fault_error(
            f"fault {fault.id} could not {fault.variant} {fault.target}", TestbedError
        ):
            await work

    def _action(self, action: str) -> Callable[[str], Awaitable[None]]:
        async def stop(instance: str) -> None:
            await self._control.kill(instance, signal.SIGTERM)

        async def restart(instance: str) -> None:
            await stop(instance)
            await self._control.start(instance, wait_ready=False)

        actions: dict[str, Callable[[str], Awaitable[None]]] = {
            "kill": self._control.kill,
            "stop": stop,
            "pause": self._control.pause,
            "restart": restart,
        }
        return actions[action]

    async def undo(self, undo: ProcessUndo) -> None:
        """Start every process that has ended, continue every stopped one; idempotent, does not wait for readiness.

        Raises:
            FaultError: a process cannot be started or continued.
        """
        work = self._under_way.pop(undo.fault_id, None)
        with as_fault_error(
            f"fault {undo.fault_id} could not be undone on {undo.target}", TestbedError
        ):
            if work is not None:
                await work
            await _all(self._restore, undo.instances)

    async def _restore(self, instance: str) -> None:
        state = await self._control.state(instance)
        if state == "stopped":
            await self._control.resume(instance)
        elif state == "ended":
            await self._control.start(instance, wait_ready=False)

    async def verify(self, undo: ProcessUndo) -> None:
        """Wait until each process is alive, not stopped, and ready.

        Raises:
            FaultError: one is not ready after READY_LIMIT_S; names it and its state.
        """
        deadline = time.monotonic() + self._ready_limit_s
        for instance in undo.instances:
            why = await self._unwell(instance)
            while why and time.monotonic() < deadline:
                await asyncio.sleep(POLL_S)
                why = await self._unwell(instance)
            if why:
                message = (
                    f"fault {undo.fault_id} is still active: {instance} {why} {self._ready_limit_s:g} s "
                    f"after it was started; see its log, or end testbed {undo.testbed}"
                )
                raise FaultError(message)

    async def _unwell(self, instance: str) -> str:
        service = self._service(instance)
        state = await self._control.state(instance)
        if state != "running":
            return f"(pid {service.pid}) has {state}" if state == "ended" else f"is {state}"
        url = service.url + self._ready_paths[service.name]
        return "" if await self._ready(url) else f"is not ready (no 200 from {url})"

    async def evidence(self, fault: PlannedFault) -> str:
        """Each process with its pid and state, and the pid that it had before if that is another one."""
        undo = self._undos[fault.id]
        pairs = zip(undo.instances, undo.pids, strict=True)
        return "; ".join([await self._described(instance, before) for instance, before in pairs])

    async def _described(self, instance: str, before: int) -> str:
        state, service = await self._control.state(instance), self._service(instance)
        anew = f", {STARTED_ANEW} (was {before})" if service.pid != before else ""
        return f"{instance}: pid {service.pid} {state}{anew}"

    def _service(self, instance: str) -> RunningService:
        return next(each for each in self._control.testbed.services if each.instance == instance)


async def _all(act: Callable[[str], Awaitable[None]], instances: tuple[str, ...]) -> None:
    await asyncio.gather(*(act(instance) for instance in instances))
