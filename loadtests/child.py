"""The load generator as the runner's child: told its plan by a file, its start by one line, and reporting in one line.

``AGUANTE_LOAD_PLAN=plan.json python loadtests/locustfile.py``

1. Reads and checks the plan. Bad: every finding on stderr, exit 3. Gateway not there: exit 2.
2. Prints ``ready`` when everything is loaded and Locust's user waits, or all its workers do.
3. Reads ``t0 <seconds>`` from stdin: a time of ``time.monotonic()``, which on Linux is CLOCK_MONOTONIC
   and therefore one clock for all processes of the machine. End of stdin before that: exit 0, no load.
4. Plays. End of stdin, SIGTERM or SIGINT: no further arrivals, what is outstanding is awaited.
5. Prints a LoadSummary as one JSON line, exit 0. Exit 1: the generator itself failed.

A plan for several workers makes this process Locust's master, which starts them (``AGUANTE_LOAD_MASTER``
tells them where it is) and ends them; that it is one or many cannot be seen from outside.
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
from loadtests.players import alone, master_address, together, work
from loadtests.session import GeneratorError

PLAN_VARIABLE = "AGUANTE_LOAD_PLAN"
EXIT_FAILED, EXIT_UNREACHABLE, EXIT_INVALID = 1, 2, 3


class Player(Protocol):
    """One process, or a crew of them, ready to play."""

    def play(self, t0_s: float) -> LoadSummary:
        """Play the whole plan from ``t0_s``. Raises GeneratorError."""
        ...

    def stop(self) -> None:
        """No further arrivals."""
        ...


class _RefusedError(Exception):
    """The child ends before any load: exit code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def main() -> int:
    """Play one plan as this module's docstring says; the exit code."""
    if master := master_address():
        return work(*master)
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
        _say(msgspec.json.encode(summary).decode())
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
        alone(plan) if plan.workers == 1 else together(plan) as player,
        _stopped_by_signals(player),
    ):
        # what was loaded by now lives for ever: keep the collector from walking it during the run
        gc.collect()
        gc.freeze()
        t0_s = _await_t0(FileObjectPosix(sys.stdin.fileno(), "rb", closefd=False), player)
        return None if t0_s is None else player.play(t0_s)


@contextlib.contextmanager
def _stopped_by_signals(player: Player) -> Iterator[None]:
    watchers = [
        gevent.signal_handler(number, player.stop) for number in (signal.SIGTERM, signal.SIGINT)
    ]
    try:
        yield
    finally:
        for watcher in watchers:
            watcher.cancel()


def _await_t0(stdin: FileObjectPosix, player: Player) -> float | None:
    _say("ready")
    line = stdin.readline().decode(errors="replace").split()
    if not line:
        return None
    try:
        word, seconds = line
        t0_s = float(seconds)
    except ValueError:
        word, t0_s = "", 0.0
    if word != "t0":
        raise _RefusedError(EXIT_INVALID, f"stdin: found {' '.join(line)!r}; say `t0 <seconds>`")
    gevent.spawn(_stop_at_end, stdin, player)
    return t0_s


def _stop_at_end(stdin: FileObjectPosix, player: Player) -> None:
    """The runner is gone, or has had enough: whatever else it writes is not read."""
    while stdin.readline():
        pass
    player.stop()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
