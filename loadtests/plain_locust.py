"""Plays a load under plain Locust: validates the options, drives the load, and logs its result.

Messages go through logging, so that Locust's web UI shows them too. Exit codes: 3 for an invalid option, 2 when the
gateway is not reachable, 1 when the load failed or arrivals were shed (``--exit-code-on-shed``); else Locust's own.
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
from loadtests.check import findings, unreachable
from loadtests.child import EXIT_FAILED, EXIT_INVALID, EXIT_UNREACHABLE
from loadtests.master import DRAIN_GRACE_S, Master
from loadtests.options import plan_from
from loadtests.recorder import RecordFile
from loadtests.session import GeneratorError, LoadSession, allow_open_files
from loadtests.tally import Tally, summary_lines

LEAD_S = 0.2
"""From the decision to start to the first arrival."""
RUN_TIME_ERROR_S = 0.5
"""Tolerance for Locust's own timer."""
REFUSE_DELAY_S = 0.2
"""Locust announces the start of a test before it has begun; only a started test can be stopped."""
logger = logging.getLogger("load")


class LoadDriver(Protocol):
    """``LoadSession`` or ``Master``."""

    tally: Tally

    def gather(self) -> None:
        """Wait until it is ready to start. Raises GeneratorError."""
        ...

    def play(self, t0_s: float) -> LoadSummary:
        """Play the whole plan. Raises GeneratorError."""
        ...

    def stop(self) -> None:
        """No further arrivals."""
        ...

    def summary(self) -> LoadSummary | None:
        """Counts so far, or None when they are unknown."""
        ...


class Load:
    """One load, by this process or by workers, beside Locust's idle user.

    Locust's run time counts from the start of the test, the schedule from when all workers are ready. At the end of
    the run time the schedule is therefore played to its own end; stopping the test earlier stops it at once.
    """

    def __init__(self, environment: Environment, plan: LoadPlan, driver: LoadDriver) -> None:
        self._environment = environment
        self._plan = plan
        self._driver = driver
        self._ends_s = math.inf
        self._began_s = time.monotonic()
        self.ended = Event()
        """Everything is reported; another load may begin."""
        environment.events.test_stopping.add_listener(self._await_end)  # type: ignore[no-untyped-call]

    def play(self) -> None:
        """Play the whole load and report its result."""
        try:
            self._driver.gather()
            t0_s = time.monotonic() + LEAD_S
            self._ends_s = t0_s + self._plan.duration_s
            self._driver.play(t0_s)
        except (GeneratorError, OSError) as failure:
            refuse(self._environment, EXIT_FAILED, str(failure))
        finally:
            self._report()
            self.ended.set()
            self._environment.events.test_stopping.remove_listener(self._await_end)  # type: ignore[no-untyped-call]

    def end(self) -> None:
        """No further arrivals; wait until pending responses are in and reported."""
        self._driver.stop()
        self.ended.wait(self._plan.timeout_s + DRAIN_GRACE_S)

    def _await_end(self, **_: object) -> None:
        now_s = time.monotonic()
        by_hand = now_s - self._began_s < self._plan.duration_s - RUN_TIME_ERROR_S
        if not by_hand and math.isfinite(self._ends_s):
            self.ended.wait(max(0.0, self._ends_s - now_s))
        self.end()

    def _report(self) -> None:
        summary, options = self._driver.summary(), self._environment.parsed_options
        if summary is None or options is None:
            return
        for line in summary_lines(summary, self._driver.tally):
            logger.log(logging.WARNING if summary.shed else logging.INFO, "%s", line)
        if summary.shed and options.exit_code_on_shed and not self._environment.process_exit_code:
            self._environment.process_exit_code = options.exit_code_on_shed


_CURRENT: list[Load] = []
"""The load that was started last."""


def begin(environment: Environment) -> None:
    """Start the load that the options define, or refuse it with every error."""
    # the web UI can start a load while the previous one is still reporting
    end()
    environment.process_exit_code = None
    runner = environment.runner
    workers = len(runner.clients.ready) if isinstance(runner, MasterRunner) else 1
    plan = plan_from(environment, workers)
    code, why = refusal(plan)
    if code:
        refuse(environment, code, why)
        return
    try:
        allow_open_files(plan.max_outstanding)
        driver = (
            Master(plan, runner)
            if isinstance(runner, MasterRunner)
            else LoadSession(plan, environment)
        )
    except (OSError, ValueError) as failure:
        refuse(environment, EXIT_FAILED, str(failure))
        return
    _CURRENT[:] = [Load(environment, plan, driver)]
    gevent.spawn(_CURRENT[0].play)


def end() -> None:
    """End the current load and let it report, before Locust sets its exit code or starts another load."""
    for load in _CURRENT:
        load.end()


def refusal(plan: LoadPlan) -> tuple[int, str]:
    """Exit code and reason why the plan cannot be played; 0 when it can. Sends no request."""
    if wrong := findings(plan):
        return EXIT_INVALID, "\n      ".join(wrong)
    if why := unreachable(plan.base_url):
        return EXIT_UNREACHABLE, why
    try:
        RecordFile(plan.records_path).close()
    except OSError as failure:
        return EXIT_INVALID, f"records: {failure}; name a new file in an existing folder"
    return 0, ""


def refuse(environment: Environment, code: int, why: str) -> None:
    """Log why the load does not start or ends early; Locust then ends, or its web UI returns to the form."""
    logger.error("%s", why)
    environment.process_exit_code = code
    runner = environment.runner
    if runner is not None:
        stop = runner.quit if environment.web_ui is None else runner.stop
        gevent.spawn_later(REFUSE_DELAY_S, stop)
