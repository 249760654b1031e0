"""Plays one plan in this process: its client, its records, and Locust's statistics."""

import resource
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Protocol

import msgspec
from locust.env import Environment

from aguante.load_protocol.rates import curve_of
from aguante.load_protocol.records import LoadPlan, LoadSummary
from loadtests.client import NoResponseError, connect, fetch
from loadtests.closed_loop import ClosedLoop
from loadtests.open_loop import OpenLoop
from loadtests.operations import Call, CallFactory, is_expected
from loadtests.outcome import Outcome, from_response, no_response, record
from loadtests.profiles import Intent, intents
from loadtests.recorder import Recorder, RecordFile
from loadtests.tally import Tally, UnexpectedResponseError

SPARE_FILES = 256
"""File descriptors for everything but connections."""


class GeneratorError(Exception):
    """The load generator itself failed, so its records are no evidence. The message gives the reason."""


class Loop(Protocol):
    """Decides when requests are sent: ``OpenLoop`` or ``ClosedLoop``."""

    def play(self, intents: Iterator[Intent], t0_s: float) -> None:
        """Send them from ``t0_s`` on, and await pending requests."""
        ...

    def stop(self) -> None:
        """No further requests."""
        ...

    def summary(self, completed: int) -> LoadSummary:
        """Counts so far."""
        ...


class LoadSession:
    """Plays one plan once.

    Args:
        plan: the plan to play.
        environment: Locust's, for its statistics.
        clock: seconds of a monotonic clock, the clock of t0.
        write: receives the records as whole lines; None: they go to the plan's ``records_path``.

    Raises:
        OSError: the records' file cannot be opened.
    """

    def __init__(
        self,
        plan: LoadPlan,
        environment: Environment,
        clock: Callable[[], float] = time.monotonic,
        write: Callable[[bytes], None] | None = None,
    ) -> None:
        self._plan = plan
        self._request_event = environment.events.request
        self._clock = clock
        self._t0_s = 0.0
        self._error = ""
        self._calls = CallFactory(plan)
        self._client = connect(
            plan.base_url, connections=plan.max_outstanding, timeout_s=plan.timeout_s
        )
        self._file = RecordFile("" if write else plan.records_path)
        self._recorder = Recorder(write or self._file.write)
        self._loop = self._loop_of(plan)
        self.tally = Tally()

    def gather(self) -> None:
        """Ready at once."""

    def play(self, t0_s: float) -> LoadSummary:
        """Play the whole plan from ``t0_s``, and await pending requests.

        Raises:
            GeneratorError: records could not be written, or the machine had no descriptor or port left.
        """
        self._t0_s = t0_s
        try:
            self._loop.play(intents(self._plan), t0_s)
        finally:
            self._recorder.close()
            self._file.close()
            self._client.close()
        if self._error or self._recorder.error:
            raise GeneratorError(
                self._error or f"{self._plan.records_path}: {self._recorder.error}"
            )
        return self.summary()

    def summary(self) -> LoadSummary:
        """Counts so far."""
        return self._loop.summary(self._recorder.written)

    def stop(self) -> None:
        """No further arrivals; ``play`` then ends within the request timeout."""
        self._loop.stop()

    def _loop_of(self, plan: LoadPlan) -> Loop:
        if not plan.users:
            return OpenLoop(
                self._send,
                max_outstanding=plan.max_outstanding,
                timeout_s=plan.timeout_s,
                clock=self._clock,
                duration_s=plan.duration_s,
            )
        return ClosedLoop(
            self._send,
            users=range(plan.worker, plan.users, plan.workers),
            of=plan.users,
            curve=curve_of(plan.profile, plan.rate_rps, plan.shape, plan.duration_s),
            timeout_s=plan.timeout_s,
            clock=self._clock,
        )

    def _send(self, intent: Intent) -> None:
        call = self._calls.call(intent)
        started_s = self._clock() - self._t0_s
        failure: Exception | None = None
        try:
            outcome = from_response(*fetch(self._client, call, self._plan.timeout_s))
        except NoResponseError as no:
            failure, outcome = no, no_response(no.mechanism)
        except OSError as broken:
            self._give_up(f"the load generator has reached its limits: {broken}")
            return
        if failure is None and not is_expected(call.operation, outcome.status):
            failure = UnexpectedResponseError(call.operation, outcome.status)
        row = record(intent, call, outcome, started_s=started_s, ended_s=self._clock() - self._t0_s)
        self._recorder.add(msgspec.structs.replace(row, worker=self._plan.worker))
        if call.idempotency_key and outcome.status == HTTPStatus.OK:
            self._calls.confirmed(outcome.reservation_id)
        if self._recorder.error:
            self._loop.stop()
        self.tally.add(call.operation, outcome.status)
        self._report_to_locust(call, row.latency_ms, outcome, failure)

    def _give_up(self, reason: str) -> None:
        self._error = self._error or reason
        self._loop.stop()

    def _report_to_locust(
        self, call: Call, latency_ms: float, outcome: Outcome, failure: Exception | None
    ) -> None:
        # a 429, 503 or 504 may be what an experiment expects, so it is no failure here
        self._request_event.fire(  # type: ignore[no-untyped-call]
            request_type=call.method,
            name=call.route,
            response_time=latency_ms,
            response_length=0,
            exception=failure,
            context={"status": outcome.status, "mechanism": outcome.mechanism},
        )


def allow_open_files(connections: int) -> None:
    """Raise the soft limit of open files as far as ``connections`` need and the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        top = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (top, hard))
