"""Drives a plan in this process by one Locust user, or in worker processes that this one starts as Locust master."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import gevent
from gevent.event import AsyncResult
from gevent.fileobject import FileObjectPosix
from locust import User, task
from locust.env import Environment
from locust.exception import StopUser

from aguante.load_protocol.records import LoadPlan, LoadSummary
from loadtests.master import Master
from loadtests.session import LoadSession, allow_open_files
from loadtests.worker import Worker

MASTER_VARIABLE = "AGUANTE_LOAD_MASTER"
"""``host:port`` of the master, in the environment of the workers that it starts."""
END_LIMIT_S = 3.0


class _SingleProcess:
    """Drives a session by a Locust user of this process."""

    def __init__(self, session: LoadSession) -> None:
        self._session = session
        self._start: AsyncResult = AsyncResult()
        self._done: AsyncResult = AsyncResult()

    def user_class(self) -> type[User]:
        start, done, session = self._start, self._done, self._session

        class Shopper(User):
            """Locust's only user: waits for t0, then makes all arrivals."""

            @task
            def play(self) -> None:
                """Play the plan, pass on its summary or failure, and end."""
                try:
                    done.set(session.play(start.get()))
                except Exception as failure:  # noqa: BLE001 - `play` below raises it again
                    done.set_exception(failure)
                raise StopUser

        return Shopper

    def play(self, t0_s: float) -> LoadSummary:
        """Play the plan from ``t0_s``. Raises GeneratorError."""
        self._start.set(t0_s)
        summary: LoadSummary = self._done.get()
        return summary

    def stop(self) -> None:
        """No further arrivals."""
        self._session.stop()


@contextlib.contextmanager
def single_process(plan: LoadPlan) -> Iterator[_SingleProcess]:
    """This process, ready to play.

    Raises:
        OSError: the records' file cannot be opened.
    """
    allow_open_files(plan.max_outstanding)
    environment = Environment(host=plan.base_url)
    driver = _SingleProcess(LoadSession(plan, environment))
    environment.user_classes = [driver.user_class()]
    runner = environment.create_local_runner()
    runner.start(user_count=1, spawn_rate=1)
    try:
        yield driver
    finally:
        runner.quit()


@contextlib.contextmanager
def master_with_workers(plan: LoadPlan) -> Iterator[Master]:
    """Workers on this machine, ready to play; they are ended afterwards.

    Raises:
        GeneratorError: they did not get ready.
        OSError: the records' file cannot be opened, or a process cannot be started.
    """
    environment = Environment(host=plan.base_url)
    runner = environment.create_master_runner("127.0.0.1", 0)
    workers: list[subprocess.Popen[bytes]] = []
    try:
        master = Master(plan, runner)
        address = f"127.0.0.1:{runner.server.port}"
        workers += [_start_worker(address) for _ in range(plan.workers)]
        master.gather()
        yield master
    finally:
        runner.quit()
        _end(workers)


def _start_worker(address: str) -> subprocess.Popen[bytes]:
    """Start this program once more. Its stdin closes when this process ends, however it ends."""
    return subprocess.Popen(
        [sys.executable, "-P", str(Path(sys.argv[0]).absolute())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=os.environ | {MASTER_VARIABLE: address},
    )


def _end(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        assert worker.stdin is not None  # noqa: S101 - started with a pipe
        worker.stdin.close()
    with gevent.Timeout(END_LIMIT_S, False):
        while any(worker.poll() is None for worker in workers):
            gevent.sleep(0.02)
    for worker in workers:
        worker.kill()
        worker.wait()


def master_address() -> tuple[str, int] | None:
    """The master's address when this process is a worker, or None."""
    host, _, port = os.environ.get(MASTER_VARIABLE, "").rpartition(":")
    return (host, int(port)) if host else None


def run_worker(host: str, port: int) -> int:
    """Work until the master ends it or is gone; the exit code."""
    runner = Environment().create_worker_runner(host, port)
    worker = Worker(runner)
    # the whole process group gets these signals; the master decides when a worker ends
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, worker.stop)
    gevent.spawn(_end_with_the_master)
    runner.greenlet.join()
    return 0


def _end_with_the_master() -> None:
    """A killed master sends no message, but its end of our stdin closes; then no load may continue."""
    stdin = FileObjectPosix(sys.stdin.fileno(), "rb", closefd=False)
    while stdin.read(1):
        pass
    os._exit(0)
