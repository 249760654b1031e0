"""A worker's side of a load by several: see ``crew.py`` for what is said."""

import time
from collections.abc import Callable
from typing import Any

import gevent
import msgspec
from gevent.event import AsyncResult
from locust.exception import RPCError
from locust.runners import WorkerRunner

from aguante.load_protocol.records import LoadPlan, LoadSummary
from loadtests.crew import clock_id
from loadtests.session import GeneratorError, LoadSession, allow_open_files

ASKS = 10
ANSWER_LIMIT_S = 2.0


class Hand:
    """One worker: plays its share of each plan that the master sends, one after the other."""

    def __init__(self, runner: WorkerRunner, clock: Callable[[], float] = time.monotonic) -> None:
        self._runner = runner
        self._clock = clock
        self._session: LoadSession | None = None
        self._run_id = ""
        self._said: dict[str, str] | None = None
        """What was answered to the plan; None: nothing yet."""
        self._answer: AsyncResult = AsyncResult()
        self._offset_s = 0.0
        self._error_ms = 0.0
        for name, listener, concurrent in (
            ("aguante_plan", self._on_plan, True),
            ("aguante_time", self._on_time, False),
            ("aguante_start", self._on_start, True),
            ("aguante_stop", self._on_stop, False),
        ):
            runner.register_message(name, listener, concurrent)

    def stop(self) -> None:
        """No further arrivals; what is outstanding is awaited and told."""
        if self._session is not None:
            self._session.stop()

    def _on_plan(self, msg: Any, **_: Any) -> None:
        plan = msgspec.msgpack.decode(msg.data["plan"], type=LoadPlan)
        if plan.run_id == self._run_id:
            if self._said is not None:  # asked again: the answer was late
                self._tell("aguante_ready", self._said)
            return
        self._run_id, self._said = plan.run_id, None
        why = self._prepare(plan, msg.data["clock"])
        self._said = {"run_id": plan.run_id, "error": why}
        self._tell("aguante_ready", self._said)

    def _prepare(self, plan: LoadPlan, clock: str) -> str:
        """Get ready; why not, or empty."""
        try:
            allow_open_files(plan.max_outstanding)
            self._session = LoadSession(
                plan, self._runner.environment, clock=self._clock, write=self._write
            )
            self._offset_s, self._error_ms = 0.0, 0.0
            if not clock or clock != clock_id():
                self._offset_s, self._error_ms = self._compare_clocks()
        except (OSError, ValueError, GeneratorError) as failure:
            return str(failure)
        return ""

    def _compare_clocks(self) -> tuple[float, float]:
        """The master's clock minus ours, and by how much that may be wrong, milliseconds.

        The quickest round trip bounds it: the answer was read somewhere within it (Cristian, Probabilistic
        clock synchronization, 1989).
        """
        seen = []
        for _ in range(ASKS):
            self._answer = AsyncResult()
            asked_s = self._clock()
            self._tell("aguante_ask", {"asked_s": asked_s})
            try:
                master_s = self._answer.get(timeout=ANSWER_LIMIT_S)
            except gevent.Timeout as late:
                message = f"the master did not tell its clock within {ANSWER_LIMIT_S:g} s"
                raise GeneratorError(message) from late
            trip_s = self._clock() - asked_s
            seen.append((trip_s, master_s - (asked_s + trip_s / 2)))
        trip_s, offset_s = min(seen)
        return offset_s, trip_s / 2 * 1000

    def _on_time(self, msg: Any, **_: Any) -> None:
        self._answer.set(msg.data["master_s"])

    def _on_start(self, msg: Any, **_: Any) -> None:
        session, run_id = self._session, self._run_id
        if session is None:
            return
        said: dict[str, object] = {"run_id": run_id}
        try:
            summary: LoadSummary = session.play(msg.data["t0_s"] - self._offset_s)
        except (GeneratorError, OSError) as failure:
            said["error"] = f"failed: {failure}"
        else:
            summary = msgspec.structs.replace(summary, clock_error_ms=self._error_ms)
            said["summary"] = msgspec.msgpack.encode(summary)
        self._tell("aguante_done", said)

    def _on_stop(self, msg: Any, **_: Any) -> None:
        if msg.data["run_id"] == self._run_id:
            self.stop()

    def _write(self, lines: bytes) -> None:
        try:
            self._tell("aguante_lines", {"lines": lines})
        except RPCError as lost:
            message = f"the master cannot be reached: {lost}"
            raise OSError(message) from lost

    def _tell(self, name: str, data: Any) -> None:
        self._runner.send_message(name, data)
