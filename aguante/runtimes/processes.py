"""Child processes with a unique identity, which die with their parent and end within a limit.

A pid may be reused; pid and start time together identify one process. Each child has its own session, so that
Ctrl-C in the terminal reaches only the runner.

A runner that is killed must not leave children behind: they are started through ``setpriv --pdeathsig`` of
util-linux if it is installed. A ``preexec_fn`` is unsafe in a process with threads, and an exec wrapper in Python
costs 9 ms per child instead of 0.8 ms. Without setpriv, the next start finds and ends the leftovers
(``testbed_state``).
"""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psutil

from aguante.core.values import Value
from aguante.run_folder.log_files import last_lines
from aguante.testbed.runtime import Alive, ProcessState, TestbedError

POLL_S = 0.01
KILL_LIMIT_S = 5.0
REAP_LIMIT_S = 2.0
SAME_START_S = 1.5
"""Tolerance when start times are compared: the kernel counts ticks since boot, and the boot time may be 1 s off."""


class ProcessRef(Value):
    """One process, identified by pid and start time."""

    name: str
    pid: int
    started: float
    """Epoch seconds."""

    def process(self) -> psutil.Process | None:
        """Return the process; None if it has ended or is a zombie."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < SAME_START_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    def alive(self) -> bool:
        """Whether it is running."""
        return self.process() is not None


def process_state(ref: ProcessRef) -> ProcessState:
    """Return the state that the operating system reports; a zombie, or a reused pid, counts as ended."""
    process = ref.process()
    try:
        status = process.status() if process else psutil.STATUS_DEAD
    except psutil.NoSuchProcess:
        return "ended"
    if status in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
        return "ended"
    return "stopped" if status == psutil.STATUS_STOPPED else "running"


def process_alive(pid: int) -> Alive:
    """Return a function that says whether the process with this pid still runs; a zombie does not."""
    try:
        started = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return lambda: False
    return ProcessRef(name="", pid=pid, started=started).alive


def this_process(name: str) -> ProcessRef:
    """Return our own process."""
    process = psutil.Process()
    return ProcessRef(name=name, pid=process.pid, started=process.create_time())


@dataclass(frozen=True)
class Account:
    """The user that a child runs as, if we are root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Command:
    """How a child is started."""

    name: str
    argv: tuple[str, ...]
    cwd: Path
    log: Path
    """The file that stdout and stderr are appended to."""
    env: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    stdin: Path | None = None
    end_signal: signal.Signals = signal.SIGTERM
    """The signal that ends it in order; the kernel sends it when the parent dies."""


class Child:
    """A process that this process started."""

    def __init__(self, command: Command, popen: "subprocess.Popen[bytes]", started: float) -> None:
        self.command = command
        self.ref = ProcessRef(name=command.name, pid=popen.pid, started=started)
        self._popen = popen

    def exit_code(self) -> int | None:
        """Return its exit code (negative: the signal that ended it); None while it runs."""
        return self._popen.poll()

    def output(self, lines: int = 15) -> str:
        """Return the last lines of its log."""
        return tail(self.command.log, lines)


Start = Callable[[Command], Child]
"""Starts a child and registers it, so that it can be ended later."""


def spawn(command: Command, *, die_with_parent: bool, keep_open: tuple[int, ...] = ()) -> Child:
    """Start a child. Must be called from a thread that lives as long as the child should.

    Args:
        command: the child.
        die_with_parent: let the kernel end it when the calling *thread* ends (Linux with setpriv).
        keep_open: file descriptors that it inherits.

    Raises:
        TestbedError: it cannot be executed.
    """
    argv = (
        (*_dying_with_parent(command.end_signal), *command.argv)
        if die_with_parent
        else command.argv
    )
    account = command.account
    try:
        with command.log.open("ab") as log, _stdin(command.stdin) as stdin:
            popen = subprocess.Popen(
                argv,
                cwd=command.cwd,
                env={**command.env},
                stdin=stdin,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=keep_open,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
    except OSError as why:
        message = f"{command.name} cannot be started: {why}: {' '.join(command.argv)}"
        raise TestbedError(message) from why
    return Child(command, popen, _start_time(popen.pid))


async def wait_until(condition: Callable[[], bool], limit_s: float, poll_s: float = POLL_S) -> bool:
    """Poll until a condition is true; return False if it is not within ``limit_s`` seconds."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(poll_s)
    return True


async def run_to_end(child: Child, limit_s: float) -> None:
    """Wait until a short-lived child has ended successfully.

    Raises:
        TestbedError: it failed, or did not end in time.
    """
    if not await wait_until(lambda: child.exit_code() is not None, limit_s):
        message = f"{child.ref.name} did not end within {limit_s:g} s:\n{child.output()}"
        raise TestbedError(message)
    if child.exit_code() != 0:
        raise died(child)


def died(child: Child) -> TestbedError:
    """Return an error with a child's exit code and its last output."""
    taken = "ddress already in use" in child.output(200)
    kind = PortTakenError if taken else TestbedError
    return kind(
        f"{child.ref.name} ended with exit code {child.exit_code()} while it was starting.\n"
        f"It was started as: {' '.join(child.command.argv)}\n"
        f"The last lines of its output:\n{child.output()}\n"
        f"Fix the error that it reports and start again; everything else has been stopped."
    )


class PortTakenError(TestbedError):
    """Another program took a port after we had found it free; a retry with other ports may succeed."""


async def end(refs: Iterable[ProcessRef], how: signal.Signals, grace_s: float) -> None:
    """Send a signal to processes, and kill those that have not ended after ``grace_s`` seconds.

    Raises:
        TestbedError: a process still runs KILL_LIMIT_S after SIGKILL.
    """
    refs = tuple(refs)
    left = _signalled(refs, how)
    left = await _ended(left, grace_s)
    left = await _ended(_signalled(left, signal.SIGKILL), KILL_LIMIT_S)
    if left:
        names = ", ".join(f"{ref.name} (pid {ref.pid})" for ref in left)
        message = f"{names} did not end after SIGKILL; see `ps -o stat,wchan -p PID`"
        raise TestbedError(message)


async def reap(children: Iterable[Child]) -> None:
    """Collect the exit codes of children that have ended, so that no zombie is left.

    This may need several attempts: the main thread of a process becomes a zombie while the kernel still ends the
    other threads.
    """
    ended = [child.exit_code for child in children]
    await wait_until(lambda: None not in [exit_code() for exit_code in ended], REAP_LIMIT_S)


def tail(path: Path, lines: int) -> str:
    """Return the last lines of a log file, indented; a note if it cannot be read or is empty."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 65_536))
            text = file.read().decode("utf-8", "replace")
    except OSError as why:
        return f"  ({why})"
    return last_lines(text, lines)


@cache
def setpriv() -> str | None:
    """Return the path of util-linux's setpriv; cached, because every child needs it."""
    return shutil.which("setpriv")


def _dying_with_parent(how: signal.Signals) -> tuple[str, ...]:
    found = setpriv()
    return (found, "--pdeathsig", how.name.removeprefix("SIG"), "--") if found else ()


@contextlib.contextmanager
def _stdin(path: Path | None) -> Iterator[int]:
    if path is None:
        yield subprocess.DEVNULL
        return
    with path.open("rb") as file:
        yield file.fileno()


def _start_time(pid: int) -> float:
    # Our own child exists until it is waited for: even a zombie has a start time.
    return psutil.Process(pid).create_time()


def _signalled(refs: Iterable[ProcessRef], how: signal.Signals) -> tuple[ProcessRef, ...]:
    """Send a signal to the processes that are running, and return those."""
    living = []
    for ref in refs:
        process = ref.process()
        if process is not None:
            living.append(ref)
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(how)
    return tuple(living)


async def _ended(refs: tuple[ProcessRef, ...], limit_s: float) -> tuple[ProcessRef, ...]:
    """Wait until all have ended; return those that have not."""
    await wait_until(lambda: not any(ref.alive() for ref in refs), limit_s)
    return tuple(ref for ref in refs if ref.alive())
