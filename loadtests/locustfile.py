"""Load for the shop. Three ways in:

* alone: ``locust -f loadtests/locustfile.py --host http://127.0.0.1:5000 [--headless -t 30s]``; the options of
  ``options.py`` (or their environment variables) say what load. One user makes all arrivals: ``-u`` changes nothing.
* by several: the same with ``--master``, and ``locust -f loadtests/locustfile.py --worker`` on each machine
  that shall help; the workers share one schedule (``crew.py``).
* as the runner's child: run as a program with ``AGUANTE_LOAD_PLAN`` set; see ``child.py``.
"""

import math
import sys
import time
from typing import Any

import gevent
from locust import User, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import MasterRunner, WorkerRunner

from aguante.records import LoadPlan
from loadtests.check import findings, unreachable
from loadtests.child import EXIT_FAILED, EXIT_INVALID, EXIT_UNREACHABLE, main
from loadtests.crew import DRAIN_GRACE_S, Crew
from loadtests.hand import Hand
from loadtests.options import add_options, plan_from
from loadtests.session import GeneratorError, LoadSession, allow_open_files

LEAD_S = 0.2
"""From the decision to start to the first arrival."""
RUN_TIME_ERROR_S = 0.5
"""By which Locust's own timer may be off."""
_PLAYING: list[gevent.Greenlet] = []
"""The crew's load that was begun last."""


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def offer_options(parser: LocustArgumentParser) -> None:
    """Options on the command line, in the environment, and as fields in the web UI."""
    add_options(parser)


@events.init.add_listener  # type: ignore[untyped-decorator]
def join_the_crew(environment: Environment, **_: Any) -> None:
    """A worker listens to its master from the beginning."""
    # gevent's clock stands still while modules are imported, and -t would count from before that
    gevent.get_hub().loop.update_now()
    if isinstance(environment.runner, WorkerRunner):
        Hand(environment.runner)


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def begin(environment: Environment, **_: Any) -> None:
    """Say everything that is wrong, before a request is sent; a master then leads its workers."""
    if isinstance(environment.runner, WorkerRunner):
        return
    runner = environment.runner
    workers = len(runner.clients.ready) if isinstance(runner, MasterRunner) else 1
    plan = plan_from(environment, workers)
    wrong = findings(plan)
    why = "" if wrong else unreachable(plan.base_url)
    if wrong or why:
        sys.stderr.write("load: " + "\n      ".join(wrong or [why]) + "\n")
        if environment.web_ui is None:
            raise SystemExit(EXIT_INVALID if wrong else EXIT_UNREACHABLE)
    elif isinstance(runner, MasterRunner):
        # Locust's page lets one begin while the end of the last is still being told
        gevent.joinall(_PLAYING)
        _lead(environment, Crew(plan, runner), plan)


def _lead(environment: Environment, crew: Crew, plan: LoadPlan) -> None:
    """Let the crew play beside Locust; the end of the test waits until it has told everything.

    Locust's run time counts from here; the schedule from when the crew has gathered. So at the run time's end the
    schedule is let run to its own; whoever stops the test before that ends it at once.
    """
    began_s = time.monotonic()

    def play() -> None:
        try:
            crew.gather()
            crew.play(time.monotonic() + LEAD_S)
        except GeneratorError as failure:
            sys.stderr.write(f"load: {failure}\n")
            environment.process_exit_code = EXIT_FAILED

    playing = gevent.spawn(play)
    _PLAYING[:] = [playing]

    def stopping(**_: Any) -> None:
        by_hand = time.monotonic() - began_s < plan.duration_s - RUN_TIME_ERROR_S
        if by_hand or math.isinf(crew.left_s):
            crew.stop()

    def end(**_: Any) -> None:
        left_s = crew.left_s if math.isfinite(crew.left_s) else 0.0
        playing.join(timeout=max(0.0, left_s) + plan.timeout_s + DRAIN_GRACE_S)
        playing.kill()
        environment.events.test_stopping.remove_listener(stopping)  # type: ignore[no-untyped-call]
        environment.events.test_stop.remove_listener(end)  # type: ignore[no-untyped-call]

    environment.events.test_stopping.add_listener(stopping)  # type: ignore[no-untyped-call]
    environment.events.test_stop.add_listener(end)  # type: ignore[no-untyped-call]


class Shopper(User):
    """The one user that makes all arrivals; of a crew the one that only looks on."""

    fixed_count = 1

    @task
    def play(self) -> None:
        """Play until Locust ends the test; a second user, or bad options, ends at once."""
        if isinstance(self.environment.runner, WorkerRunner):
            gevent.sleep(3600)  # its share comes by the master's messages
            return
        plan = plan_from(self.environment)
        if self.environment.runner is None or findings(plan):
            raise StopUser
        allow_open_files(plan.max_outstanding)
        session = LoadSession(plan, self.environment)
        self.environment.events.test_stopping.add_listener(lambda **_: session.stop())
        session.play(time.monotonic() + LEAD_S)
        raise StopUser


if __name__ == "__main__":
    sys.exit(main())
