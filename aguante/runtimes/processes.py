"""Child processes that can be named for ever, die with their parent, and end within a limit.

A pid alone may be reused; pid and start time together name one process. Children get a session of
their own, so that Ctrl-C in the terminal reaches the runner alone.

A runner that is killed outright must not leave its children behind: they are started through
util-linux's ``setpriv --pdeathsig`` where it is there (Linux). A ``preexec_fn`` is not safe beside
threads, and an exec wrapper in Python costs 9 ms a child; setpriv costs 0.8. Where it is missing, the
next start finds and ends what was left (see ``state``).
"""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psutil

from aguante.core.values import Value
from aguante.testbed.runtime import Alive, ProcessState, TestbedError

POLL_S = 0.01
KILL_LIMIT_S = 5.0
REAP_LIMIT_S = 2.0
SAME_START_S = 1.5
"""The kernel counts a start in ticks since boot; the boot time in whole seconds can be read 1 s off."""


class ProcessRef(Value):
    """One process, by pid and start time."""

    name: str
    pid: int
    started: float
    """Epoch seconds."""

    def process(self) -> psutil.Process | None:
        """The process while it runs; None once it ended (or only a zombie is left)."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < SAME_START_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process() is not None


def process_state(ref: ProcessRef) -> ProcessState:
    """As the operating system tells it; a zombie has ended, and so has a pid that somebody else has now."""
    process = ref.process()
    try:
        status = process.status() if process else psutil.STATUS_DEAD
    except psutil.NoSuchProcess:
        return "ended"
    if status in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
        return "ended"
    return "stopped" if status == psutil.STATUS_STOPPED else "running"


def process_alive(pid: int) -> Alive:
    """Whether the process that has this pid now still runs; a zombie does not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)

        def alive() -> bool:
            try:
                return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
            except psutil.NoSuchProcess:
                return False

        return alive
    return lambda: False


def this_process(name: str) -> ProcessRef:
    """The process that we are."""
    process = psutil.Process()
    return ProcessRef(name=name, pid=process.pid, started=process.create_time())


@dataclass(frozen=True)
class Account:
    """A user that a child runs as, when we are root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Command:
    """A child to be started."""

    name: str
    argv: tuple[str, ...]
    cwd: Path
    log: Path
    """Receives stdout and stderr, appended."""
    env: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    stdin: Path | None = None
    end_signal: signal.Signals = signal.SIGTERM
    """What asks it to end; also what the kernel sends when its parent dies."""


class Child:
    """A process that this process started."""

    def __init__(self, command: Command, popen: "subprocess.Popen[bytes]", started: float) -> None:
        self.command = command
        self.ref = ProcessRef(name=command.name, pid=popen.pid, started=started)
        self._popen = popen

    def exit_code(self) -> int | None:
        """Its exit code (negative: the signal that ended it), or None while it runs."""
        return self._popen.poll()

    def output(self, lines: int = 15) -> str:
        """The last lines of its log."""
        return tail(self.command.log, lines)


def spawn(command: Command, *, die_with_parent: bool, keep_open: tuple[int, ...] = ()) -> Child:
    """Start a child. Must be called from a thread that lives as long as the child should.

    Args:
        command: what to start.
        die_with_parent: the kernel ends it when the calling *thread* ends (Linux with setpriv).
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


async def run_to_end(child: Child, limit_s: float) -> None:
    """Wait until a short-lived child has done its work.

    Raises:
        TestbedError: it failed, or did not end in time.
    """
    deadline = time.monotonic() + limit_s
    while child.exit_code() is None:
        if time.monotonic() > deadline:
            message = f"{child.ref.name} did not end within {limit_s:g} s:\n{child.output()}"
            raise TestbedError(message)
        await asyncio.sleep(POLL_S)
    if child.exit_code() != 0:
        raise died(child)


def died(child: Child) -> TestbedError:
    """The error that says how a child ended and what it said last."""
    taken = "ddress already in use" in child.output(200)
    kind = PortTakenError if taken else TestbedError
    return kind(
        f"{child.ref.name} ended with exit code {child.exit_code()} while it was starting.\n"
        f"It was started as: {' '.join(child.command.argv)}\n"
        f"The last lines of its output:\n{child.output()}\n"
        f"Fix what it complains about and start again; everything else has been taken down."
    )


class PortTakenError(TestbedError):
    """Somebody else took a port between our look and our use: worth another try with other ports."""


async def end(refs: Iterable[ProcessRef], how: signal.Signals, grace_s: float) -> None:
    """Ask processes to end, and kill those that have not after ``grace_s``.

    Raises:
        TestbedError: a process outlived SIGKILL by five seconds.
    """
    refs = tuple(refs)
    left = _signalled(refs, how)
    left = await _ended(left, grace_s)
    left = await _ended(_signalled(left, signal.SIGKILL), KILL_LIMIT_S)
    if left:
        names = ", ".join(f"{ref.name} (pid {ref.pid})" for ref in left)
        message = f"{names} did not end, not even by SIGKILL; look at `ps -o stat,wchan -p PID`"
        raise TestbedError(message)


async def reap(children: Iterable[Child]) -> None:
    """Take the exit codes of children that have ended, so that no zombie is left.

    One that counts as ended may not be ready for that at once: of a process with threads the first
    shows as a zombie while the kernel still ends the others.
    """
    deadline = time.monotonic() + REAP_LIMIT_S
    left = list(children)
    while left and time.monotonic() < deadline:
        left = [child for child in left if child.exit_code() is None]
        if left:
            await asyncio.sleep(POLL_S)


def tail(path: Path, lines: int) -> str:
    """The last lines of a log file, indented; a note when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 65_536))
            text = file.read().decode("utf-8", "replace")
    except OSError as why:
        return f"  ({why})"
    last = text.strip().splitlines()[-lines:]
    return "\n".join(f"  {line[:400]}" for line in last) or "  (it said nothing)"


@cache
def setpriv() -> str | None:
    """The path of util-linux's setpriv; found once, since every child of every testbed asks."""
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
    # Our own child cannot be gone before it is waited for: at worst it is a zombie, which has a start.
    return psutil.Process(pid).create_time()


def _signalled(refs: Iterable[ProcessRef], how: signal.Signals) -> tuple[ProcessRef, ...]:
    """Send a signal to those that live, and return them."""
    living = []
    for ref in refs:
        process = ref.process()
        if process is not None:
            living.append(ref)
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(how)
    return tuple(living)


async def _ended(refs: tuple[ProcessRef, ...], limit_s: float) -> tuple[ProcessRef, ...]:
    """Wait until all have ended; returns those that have not."""
    deadline = time.monotonic() + limit_s
    while refs and time.monotonic() < deadline:
        refs = tuple(ref for ref in refs if ref.alive())
        if refs:
            await asyncio.sleep(POLL_S)
    return refs
