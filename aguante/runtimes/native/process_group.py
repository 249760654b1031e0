"""The processes of one testbed: started by command, named in ``state.json``, killed, paused and ended by name."""

import asyncio
import contextlib
import signal
import time

import psutil

from aguante.runtimes.processes import (
    POLL_S,
    Child,
    Command,
    ProcessRef,
    end,
    reap,
    spawn,
    this_process,
)
from aguante.runtimes.teardown import SERVICE_GRACE_S, take_down
from aguante.runtimes.testbed_state import SavedState, Workspace
from aguante.testbed.runtime import Testbed, TestbedError

STOP_LIMIT_S = 2.0
"""The kernel stops a process within microseconds, but for one in an uninterruptible wait."""


class ProcessGroup:
    """Every process of one testbed. What is started is in ``state.json`` before anything else happens.

    Args:
        workspace: the testbed's folder.
        detach: its processes outlive this one.
    """

    def __init__(self, workspace: Workspace, *, detach: bool) -> None:
        self.workspace = workspace
        self.testbed: Testbed | None = None
        """As ``state.json`` tells it; None while it is starting."""
        self._detach = detach
        self._children: list[Child] = []

    @property
    def refs(self) -> dict[str, ProcessRef]:
        """The latest process of each name."""
        return {child.ref.name: child.ref for child in self._children}

    def start(self, command: Command) -> Child:
        """Start a child; it takes the place of an ended one of its name.

        Raises:
            TestbedError: it cannot be executed.
        """
        # Released already (a restart of services): PostgreSQL and Toxiproxy go on holding it.
        lock = self.workspace.lock
        keep = (lock,) if self._detach and lock >= 0 else ()
        child = spawn(command, die_with_parent=not self._detach, keep_open=keep)
        self._children = [each for each in self._children if each.ref.name != command.name]
        self._children.append(child)
        self.save()
        return child

    def child(self, name: str) -> Child:
        """The child of this name, living or not.

        Raises:
            TestbedError: there is none; says which there are.
        """
        for child in self._children:
            if child.ref.name == name:
                return child
        known = ", ".join(sorted(self.refs))
        message = f"testbed {self.workspace.id} has no process {name!r}; there are: {known}"
        raise TestbedError(message)

    async def kill(self, name: str, how: signal.Signals) -> None:
        """Send a signal that ends a process, and wait for its end (SIGKILL after 7.5 s at the latest).

        Raises:
            TestbedError: no such process, or it outlived SIGKILL.
        """
        child = self.child(name)
        await end((child.ref,), how, SERVICE_GRACE_S)
        await reap((child,))

    async def pause(self, name: str) -> None:
        """SIGSTOP, and wait until the process stands still: its sockets stay open, nobody answers.

        Raises:
            TestbedError: no such process, it has ended, or it goes on running.
        """
        await self._settle(name, signal.SIGSTOP, stopped=True)

    async def resume(self, name: str) -> None:
        """SIGCONT, and wait until the process runs again; raises as ``pause`` does."""
        await self._settle(name, signal.SIGCONT, stopped=False)

    async def _settle(self, name: str, how: signal.Signals, *, stopped: bool) -> None:
        ref = self.child(name).ref
        deadline = time.monotonic() + STOP_LIMIT_S
        if process := ref.process():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(how)
        while status := _status(ref):
            if (status == psutil.STATUS_STOPPED) is stopped:
                return
            if time.monotonic() > deadline:
                message = f"{name} (pid {ref.pid}) did not obey {how.name} in {STOP_LIMIT_S:g} s"
                raise TestbedError(message)
            await asyncio.sleep(POLL_S)
        message = f"{name} (pid {ref.pid}) has ended: start it before it is sent {how.name}"
        raise TestbedError(message)

    async def end(self, names: frozenset[str] | None = None) -> None:
        """End these processes in order, or all of them, and forget them.

        Raises:
            TestbedError: one cannot be ended.
        """
        ending = [each for each in self._children if names is None or each.ref.name in names]
        await take_down([child.ref for child in ending])
        await reap(ending)
        self._children = [child for child in self._children if child not in ending]

    def save(self) -> None:
        """Write ``state.json``."""
        self.workspace.save(
            SavedState(
                id=self.workspace.id,
                owner=this_process("runner"),
                detached=self._detach,
                processes=tuple(child.ref for child in self._children),
                testbed=self.testbed,
            )
        )


def _status(ref: ProcessRef) -> str:
    """As psutil names it; empty once the process has ended."""
    process = ref.process()
    try:
        return process.status() if process else ""
    except psutil.NoSuchProcess:
        return ""
