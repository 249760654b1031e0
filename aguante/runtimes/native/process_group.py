"""The processes of one testbed, addressed by name and listed in ``state.json``."""

import contextlib
import signal

import psutil

from aguante.runtimes.processes import (
    Child,
    Command,
    ProcessRef,
    end,
    process_state,
    reap,
    spawn,
    this_process,
    wait_until,
)
from aguante.runtimes.teardown import SERVICE_GRACE_S, take_down
from aguante.runtimes.testbed_state import SavedState, Workspace
from aguante.testbed.runtime import ProcessState, Testbed, TestbedError

STOP_LIMIT_S = 2.0
"""The kernel stops a process within microseconds, unless it is in an uninterruptible wait."""


class ProcessGroup:
    """Every process of one testbed. ``state.json`` lists a process as soon as it is started.

    Args:
        workspace: the testbed's folder.
        detach: the processes keep running after this one.
    """

    def __init__(self, workspace: Workspace, *, detach: bool) -> None:
        self.workspace = workspace
        self.testbed: Testbed | None = None
        """The testbed in ``state.json``; None while it is starting."""
        self._detach = detach
        self._children: list[Child] = []

    @property
    def refs(self) -> dict[str, ProcessRef]:
        """The latest process of each name."""
        return {child.ref.name: child.ref for child in self._children}

    def start(self, command: Command) -> Child:
        """Start a child; it replaces an ended one of the same name.

        Raises:
            TestbedError: it cannot be executed.
        """
        # When services are restarted the lock is already released; PostgreSQL and Toxiproxy hold it.
        lock = self.workspace.lock
        keep = (lock,) if self._detach and lock >= 0 else ()
        child = spawn(command, die_with_parent=not self._detach, keep_open=keep)
        self._children = [each for each in self._children if each.ref.name != command.name]
        self._children.append(child)
        self.save()
        return child

    def child(self, name: str) -> Child:
        """Return the child of this name, running or not.

        Raises:
            TestbedError: there is none; lists those that exist.
        """
        for child in self._children:
            if child.ref.name == name:
                return child
        known = ", ".join(sorted(self.refs))
        message = f"testbed {self.workspace.id} has no process {name!r}; there are: {known}"
        raise TestbedError(message)

    async def kill(self, name: str, how: signal.Signals) -> None:
        """Send a signal that ends a process, and wait for its end; SIGKILL follows after SERVICE_GRACE_S.

        Raises:
            TestbedError: there is no such process, or it survived SIGKILL.
        """
        child = self.child(name)
        await end((child.ref,), how, SERVICE_GRACE_S)
        await reap((child,))

    async def pause(self, name: str) -> None:
        """Send SIGSTOP and wait until the process has stopped: its sockets stay open, but do not respond.

        Raises:
            TestbedError: there is no such process, it has ended, or it keeps running.
        """
        await self._reach(name, signal.SIGSTOP, "stopped")

    async def resume(self, name: str) -> None:
        """Send SIGCONT and wait until the process runs; raises as ``pause`` does."""
        await self._reach(name, signal.SIGCONT, "running")

    async def _reach(self, name: str, how: signal.Signals, wanted: ProcessState) -> None:
        ref = self.child(name).ref
        if process := ref.process():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(how)
        if not await wait_until(lambda: process_state(ref) in (wanted, "ended"), STOP_LIMIT_S):
            message = f"{name} (pid {ref.pid}) ignored {how.name} for {STOP_LIMIT_S:g} s"
            raise TestbedError(message)
        if not ref.alive():
            message = f"{name} (pid {ref.pid}) has ended: start it before you send {how.name}"
            raise TestbedError(message)

    async def end(self, names: frozenset[str] | None = None) -> None:
        """End these processes, or all of them, in the order of ``take_down``, and remove them from the group.

        Raises:
            TestbedError: a process cannot be ended.
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
