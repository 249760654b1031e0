"""What plain Locust plays: decided once, before a request is sent, and told at its end.

Whatever is said goes through logging, so that Locust's page shows it too. Exit codes: 3 an option makes no
sense, 2 nothing answers, 1 the load failed, or arrivals were shed (``--exit-code-on-shed``); else Locust's own.
"""

import logging
import math
import time
from typing import Protocol

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.runners import MasterRunner

from aguante.load_protocol.records import LoadPlan, LoadSummary
from loadtests.account import Tally, closing
from loadtests.check import findings, unreachable
from loadtests.child import EXIT_FAILED, EXIT_INVALID, EXIT_UNREACHABLE
from loadtests.crew import DRAIN_GRACE_S, Crew
from loadtests.options import plan_from
from loadtests.recorder import RecordFile
from loadtests.session import GeneratorError, LoadSession, allow_open_files

LEAD_S = 0.2
"""From the decision to start to the first arrival."""
RUN_TIME_ERROR_S = 0.5
"""By which Locust's own timer may be off."""
TURN_AWAY_S = 0.2
"""For Locust to have started what is then stopped: it tells of the start before it has begun."""
logger = logging.getLogger("load")


class Player(Protocol):
    """``LoadSession`` or ``Crew``."""

    tally: Tally

    def gather(self) -> None:
        """Wait until it could start at once. Raises GeneratorError."""
        ...

    def play(self, t0_s: float) -> LoadSummary:
        """Play the whole plan. Raises GeneratorError."""
        ...

    def stop(self) -> None:
        """No further arrivals."""
        ...

    def summary(self) -> LoadSummary | None:
        """Counts so far; None: not known."""
        ...


class Load:
    """One load, by this process or by workers, beside Locust: its users look on.

    Locust's run time counts from when the test starts; the schedule from when everybody has gathered. So at the run
    time's end the schedule is let run to its own; whoever stops the test before that ends it at once.
    """

    def __init__(self, environment: Environment, plan: LoadPlan, player: Player) -> None:
        self._environment = environment
        self._plan = plan
        self._player = player
        self._ends_s = math.inf
        self._began_s = time.monotonic()
        self.ended = Event()
        """Everything is told; a next load may begin."""
        environment.events.test_stopping.add_listener(self._await_end)  # type: ignore[no-untyped-call]

    def play(self) -> None:
        """Play it whole, and tell how it ended."""
        try:
            self._player.gather()
            t0_s = time.monotonic() + LEAD_S
            self._ends_s = t0_s + self._plan.duration_s
            self._player.play(t0_s)
        except (GeneratorError, OSError) as failure:
            turn_away(self._environment, EXIT_FAILED, str(failure))
        finally:
            self._tell()
            self.ended.set()
            self._environment.events.test_stopping.remove_listener(self._await_end)  # type: ignore[no-untyped-call]

    def end(self) -> None:
        """No further arrivals; waits until answers under way are in and told."""
        self._player.stop()
        self.ended.wait(self._plan.timeout_s + DRAIN_GRACE_S)

    def _await_end(self, **_: object) -> None:
        now_s = time.monotonic()
        by_hand = now_s - self._began_s < self._plan.duration_s - RUN_TIME_ERROR_S
        if not by_hand and math.isfinite(self._ends_s):
            self.ended.wait(max(0.0, self._ends_s - now_s))
        self.end()

    def _tell(self) -> None:
        summary, options = self._player.summary(), self._environment.parsed_options
        if summary is None or options is None:
            return
        for line in closing(summary, self._player.tally):
            logger.log(logging.WARNING if summary.shed else logging.INFO, "%s", line)
        if summary.shed and options.exit_code_on_shed and not self._environment.process_exit_code:
            self._environment.process_exit_code = options.exit_code_on_shed


_BEGUN: list[Load] = []
"""The load that was begun last."""


def begin(environment: Environment) -> None:
    """Decide what is played, once and for all, and play it; or refuse it with everything that is wrong."""
    # Locust's page lets one begin while the end of the last is still being told
    end()
    environment.process_exit_code = None
    runner = environment.runner
    workers = len(runner.clients.ready) if isinstance(runner, MasterRunner) else 1
    plan = plan_from(environment, workers)
    code, why = refusal(plan)
    if code:
        turn_away(environment, code, why)
        return
    try:
        allow_open_files(plan.max_outstanding)
        player = (
            Crew(plan, runner)
            if isinstance(runner, MasterRunner)
            else LoadSession(plan, environment)
        )
    except (OSError, ValueError) as failure:
        turn_away(environment, EXIT_FAILED, str(failure))
        return
    _BEGUN[:] = [Load(environment, plan, player)]
    gevent.spawn(_BEGUN[0].play)


def end() -> None:
    """End what is still played, and let it tell: before Locust decides on its exit code, or begins another."""
    for load in _BEGUN:
        load.end()


def refusal(plan: LoadPlan) -> tuple[int, str]:
    """Exit code and reason why it cannot be played; 0: it can. Sends no request."""
    if wrong := findings(plan):
        return EXIT_INVALID, "\n      ".join(wrong)
    if why := unreachable(plan.base_url):
        return EXIT_UNREACHABLE, why
    try:
        RecordFile(plan.records_path).close()
    except OSError as failure:
        return EXIT_INVALID, f"records: {failure}; name a new file in a folder that is there"
    return 0, ""


def turn_away(environment: Environment, code: int, why: str) -> None:
    """Say why nothing is played, or no longer; Locust ends, or its page goes back to its form."""
    logger.error("%s", why)
    environment.process_exit_code = code
    runner = environment.runner
    if runner is not None:
        stop = runner.quit if environment.web_ui is None else runner.stop
        gevent.spawn_later(TURN_AWAY_S, stop)
