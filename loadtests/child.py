"""The load generator as the runner's child: told its plan by a file, its start by one line, and reporting in one line.

``AGUANTE_LOAD_PLAN=plan.json python loadtests/locustfile.py``

1. Reads and checks the plan. Bad: every finding on stderr, exit 3. Gateway not there: exit 2.
2. Prints ``ready`` when everything is loaded and Locust's user waits.
3. Reads ``t0 <seconds>`` from stdin: a time of ``time.monotonic()``, which on Linux is CLOCK_MONOTONIC
   and therefore one clock for all processes of the machine. End of stdin before that: exit 0, no load.
4. Plays. End of stdin, SIGTERM or SIGINT: no further arrivals, what is outstanding is awaited.
5. Prints a LoadSummary as one JSON line, exit 0. Exit 1: the generator itself failed.
"""

import gc
import os
import signal
import sys
from pathlib import Path

import gevent
import msgspec
from gevent.event import AsyncResult
from gevent.fileobject import FileObjectPosix
from locust import User, task
from locust.env import Environment
from locust.exception import StopUser

from aguante.records import LoadPlan, LoadSummary
from loadtests.check import findings, unreachable
from loadtests.session import GeneratorError, LoadSession, allow_open_files

PLAN_VARIABLE = "AGUANTE_LOAD_PLAN"
EXIT_FAILED, EXIT_UNREACHABLE, EXIT_INVALID = 1, 2, 3


class _RefusedError(Exception):
    """The child ends before any load: exit code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def main() -> int:
    """Play one plan as this module's docstring says; the exit code."""
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
    allow_open_files(plan.max_outstanding)
    start: AsyncResult = AsyncResult()
    done: AsyncResult = AsyncResult()
    environment = Environment(host=plan.base_url)
    session = LoadSession(plan, environment)
    environment.user_classes = [_user_class(session, start, done)]
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, session.stop)
    runner = environment.create_local_runner()
    runner.start(user_count=1, spawn_rate=1)
    try:
        # what was loaded by now lives for ever: keep the collector from walking it during the run
        gc.collect()
        gc.freeze()
        t0_s = _await_t0(FileObjectPosix(sys.stdin.fileno(), "rb", closefd=False), session)
        if t0_s is None:
            return None
        start.set(t0_s)
        summary: LoadSummary = done.get()
        return summary
    finally:
        runner.quit()


def _user_class(session: LoadSession, start: AsyncResult, done: AsyncResult) -> type[User]:
    class Shopper(User):
        """Locust's one user: it waits for t0, and then makes all arrivals."""

        @task
        def play(self) -> None:
            """Play the plan, hand on its summary or failure, and end."""
            try:
                done.set(session.play(start.get()))
            except Exception as failure:  # noqa: BLE001 - raised again by whoever waits
                done.set_exception(failure)
            raise StopUser

    return Shopper


def _await_t0(stdin: FileObjectPosix, session: LoadSession) -> float | None:
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
    gevent.spawn(_stop_at_end, stdin, session)
    return t0_s


def _stop_at_end(stdin: FileObjectPosix, session: LoadSession) -> None:
    """The runner is gone, or has had enough: whatever else it writes is not read."""
    while stdin.readline():
        pass
    session.stop()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
