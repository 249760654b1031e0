"""Who plays a plan: this process alone, by one Locust user; or workers that it starts, as their Locust master."""

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
from loadtests.crew import Crew
from loadtests.hand import Hand
from loadtests.session import LoadSession, allow_open_files

MASTER_VARIABLE = "AGUANTE_LOAD_MASTER"
"""``host:port`` of the master, told to the workers that it starts."""
END_LIMIT_S = 3.0


class _Alone:
    """A session that a Locust user plays."""

    def __init__(self, session: LoadSession) -> None:
        self._session = session
        self._start: AsyncResult = AsyncResult()
        self._done: AsyncResult = AsyncResult()

    def user_class(self) -> type[User]:
        start, done, session = self._start, self._done, self._session

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

    def play(self, t0_s: float) -> LoadSummary:
        """Let the user play from ``t0_s``. Raises GeneratorError."""
        self._start.set(t0_s)
        summary: LoadSummary = self._done.get()
        return summary

    def stop(self) -> None:
        """No further arrivals."""
        self._session.stop()


@contextlib.contextmanager
def alone(plan: LoadPlan) -> Iterator[_Alone]:
    """This process, ready to play.

    Raises:
        OSError: the records' file cannot be opened.
    """
    allow_open_files(plan.max_outstanding)
    environment = Environment(host=plan.base_url)
    player = _Alone(LoadSession(plan, environment))
    environment.user_classes = [player.user_class()]
    runner = environment.create_local_runner()
    runner.start(user_count=1, spawn_rate=1)
    try:
        yield player
    finally:
        runner.quit()


@contextlib.contextmanager
def together(plan: LoadPlan) -> Iterator[Crew]:
    """Workers on this machine, ready to play; they are gone afterwards.

    Raises:
        GeneratorError: they did not get ready.
        OSError: the records' file cannot be opened, or a process not be started.
    """
    environment = Environment(host=plan.base_url)
    runner = environment.create_master_runner("127.0.0.1", 0)
    workers: list[subprocess.Popen[bytes]] = []
    try:
        crew = Crew(plan, runner)
        address = f"127.0.0.1:{runner.server.port}"
        workers += [_worker(address) for _ in range(plan.workers)]
        crew.gather()
        yield crew
    finally:
        runner.quit()
        _end(workers)


def _worker(address: str) -> subprocess.Popen[bytes]:
    """One more process of this very program. Its stdin closes when we end, however that is."""
    return subprocess.Popen(
        [sys.executable, "-P", str(Path(sys.argv[0]).absolute())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=os.environ | {MASTER_VARIABLE: address},
    )


def _end(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        assert worker.stdin is not None  # noqa: S101 - a pipe was asked for
        worker.stdin.close()
    with gevent.Timeout(END_LIMIT_S, False):
        while any(worker.poll() is None for worker in workers):
            gevent.sleep(0.02)
    for worker in workers:
        worker.kill()
        worker.wait()


def master_address() -> tuple[str, int] | None:
    """Where our master is, when we are a worker."""
    host, _, port = os.environ.get(MASTER_VARIABLE, "").rpartition(":")
    return (host, int(port)) if host else None


def work(host: str, port: int) -> int:
    """Be a worker until the master says that it is over, or is gone; the exit code."""
    runner = Environment().create_worker_runner(host, port)
    hand = Hand(runner)
    for number in (
        signal.SIGTERM,
        signal.SIGINT,
    ):  # the whole process group gets them; the master decides
        gevent.signal_handler(number, hand.stop)
    gevent.spawn(_end_with_the_master)
    runner.greenlet.join()
    return 0


def _end_with_the_master() -> None:
    """A master that was killed says nothing: its end of our stdin closes, and no load is left behind."""
    stdin = FileObjectPosix(sys.stdin.fileno(), "rb", closefd=False)
    while stdin.read(1):
        pass
    os._exit(0)
