"""The load generator as the runner's child process: it reads a plan file and reports on stdout.

``AGUANTE_LOAD_PLAN=plan.json python loadtests/locustfile.py``

1. Reads and checks the plan. Invalid: every error on stderr, exit 3. Gateway not reachable: exit 2.
2. Prints ``ready`` when everything is loaded and Locust's user, or every worker, waits for t0.
3. Reads ``t0 <seconds>`` from stdin: a time of ``time.monotonic()``, which on Linux is CLOCK_MONOTONIC
   and therefore shared by all processes of the machine. End of stdin before that: exit 0, no load.
4. Plays. End of stdin, SIGTERM or SIGINT: no further arrivals; pending responses are awaited.
5. Prints a LoadSummary as one JSON line, exit 0. Exit 1: the generator itself failed.

With a plan for several workers this process becomes Locust's master, which starts and ends them
(``AGUANTE_LOAD_MASTER`` is their master's address). The protocol on stdin and stdout is the same.
"""

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import gevent
import msgspec
from gevent.fileobject import FileObjectPosix

from aguante.load_protocol.records import LoadPlan, LoadSummary
from loadtests.check import findings, unreachable
from loadtests.processes import (
    master_address,
    master_with_workers,
    run_worker,
    single_process,
)
from loadtests.session import GeneratorError

PLAN_VARIABLE = "AGUANTE_LOAD_PLAN"
EXIT_FAILED, EXIT_UNREACHABLE, EXIT_INVALID = 1, 2, 3


class LoadDriver(Protocol):
    """One process, or a master with workers, ready to play."""

    def play(self, t0_s: float) -> LoadSummary:
        """Play the whole plan from ``t0_s``. Raises GeneratorError."""
        ...

    def stop(self) -> None:
        """No further arrivals."""
        ...


class _RefusedError(Exception):
    """The child ends before any load, with this exit code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def main() -> int:
    """Play one plan; the exit code, as in the module's docstring."""
    if master := master_address():
        return run_worker(*master)
    try:
        plan = _read_plan()
        summary = _play(plan)
    except _RefusedError as refused:
        sys.stderr.write(f"load: {refused}\n")
        return refused.code
    except (GeneratorError, OSError) as failure:
        sys.stderr.write(f"load: {failure}\n")
        return EXIT_FAILED
    if summary is not None:
        _print(msgspec.json.encode(summary).decode())
    return 0


def _read_plan() -> LoadPlan:
    path = Path(os.environ[PLAN_VARIABLE])
    try:
        plan = msgspec.json.decode(path.read_bytes(), type=LoadPlan)
    except (OSError, msgspec.MsgspecError) as failure:
        raise _RefusedError(EXIT_INVALID, f"{path}: {failure}") from failure
    if wrong := findings(plan):
        raise _RefusedError(EXIT_INVALID, f"{path}:\n  " + "\n  ".join(wrong))
    if why := unreachable(plan.base_url):
        raise _RefusedError(EXIT_UNREACHABLE, why)
    return plan


def _play(plan: LoadPlan) -> LoadSummary | None:
    """The summary, or None when stdin ended before t0."""
    with (
        single_process(plan) if plan.workers == 1 else master_with_workers(plan) as driver,
        _stopped_by_signals(driver),
    ):
        # modules loaded by now live until exit: the garbage collector need not scan them during the run
        gc.collect()
        gc.freeze()
        t0_s = _await_t0(FileObjectPosix(sys.stdin.fileno(), "rb", closefd=False), driver)
        return None if t0_s is None else driver.play(t0_s)


@contextlib.contextmanager
def _stopped_by_signals(driver: LoadDriver) -> Iterator[None]:
    watchers = [
        gevent.signal_handler(number, driver.stop) for number in (signal.SIGTERM, signal.SIGINT)
    ]
    try:
        yield
    finally:
        for watcher in watchers:
            watcher.cancel()


def _await_t0(stdin: FileObjectPosix, driver: LoadDriver) -> float | None:
    _print("ready")
    line = stdin.readline().decode(errors="replace").split()
    if not line:
        return None
    try:
        word, seconds = line
        t0_s = float(seconds)
    except ValueError:
        word, t0_s = "", 0.0
    if word != "t0":
        raise _RefusedError(
            EXIT_INVALID, f"stdin: found {' '.join(line)!r}; expected `t0 <seconds>`"
        )
    gevent.spawn(_stop_at_end, stdin, driver)
    return t0_s


def _stop_at_end(stdin: FileObjectPosix, driver: LoadDriver) -> None:
    """Stop when the runner closes stdin or is gone; ignore anything else that it writes."""
    while stdin.readline():
        pass
    driver.stop()


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
