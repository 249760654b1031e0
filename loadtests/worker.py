"""A worker's side of a load by several processes; ``master.py`` lists the messages."""

import time
from collections.abc import Callable
from typing import Any

import gevent
import msgspec
from gevent.event import AsyncResult
from locust.exception import RPCError
from locust.runners import WorkerRunner

from aguante.load_protocol.records import LoadPlan, LoadSummary
from loadtests.master import clock_id
from loadtests.session import GeneratorError, LoadSession, allow_open_files

CLOCK_READINGS = 10
CLOCK_LIMIT_S = 2.0


class Worker:
    """Plays its share of each plan that the master sends, one plan after the other."""

    def __init__(self, runner: WorkerRunner, clock: Callable[[], float] = time.monotonic) -> None:
        self._runner = runner
        self._clock = clock
        self._session: LoadSession | None = None
        self._run_id = ""
        self._ready_reply: dict[str, str] | None = None
        """The reply to the current plan; None until there is one."""
        self._master_time: AsyncResult = AsyncResult()
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
        """No further arrivals; pending responses are awaited and reported."""
        if self._session is not None:
            self._session.stop()

    def _on_plan(self, msg: Any, **_: Any) -> None:
        plan = msgspec.msgpack.decode(msg.data["plan"], type=LoadPlan)
        if plan.run_id == self._run_id:
            if self._ready_reply is not None:  # the master repeats the plan until it has the reply
                self._send("aguante_ready", self._ready_reply)
            return
        self._run_id, self._ready_reply = plan.run_id, None
        why = self._prepare(plan, msg.data["clock"])
        self._ready_reply = {"run_id": plan.run_id, "error": why}
        self._send("aguante_ready", self._ready_reply)

    def _prepare(self, plan: LoadPlan, clock: str) -> str:
        """Get ready; the reason why that failed, or an empty text."""
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
        """The master's clock minus ours in seconds, and its maximum error in milliseconds.

        The quickest round trip bounds the error: the master read its clock somewhere within it (Cristian,
        Probabilistic clock synchronization, 1989).
        """
        seen = []
        for _ in range(CLOCK_READINGS):
            self._master_time = AsyncResult()
            asked_s = self._clock()
            self._send("aguante_ask", {"asked_s": asked_s})
            try:
                master_s = self._master_time.get(timeout=CLOCK_LIMIT_S)
            except gevent.Timeout as late:
                message = f"the master did not send its clock within {CLOCK_LIMIT_S:g} s"
                raise GeneratorError(message) from late
            trip_s = self._clock() - asked_s
            seen.append((trip_s, master_s - (asked_s + trip_s / 2)))
        trip_s, offset_s = min(seen)
        return offset_s, trip_s / 2 * 1000

    def _on_time(self, msg: Any, **_: Any) -> None:
        self._master_time.set(msg.data["master_s"])

    def _on_start(self, msg: Any, **_: Any) -> None:
        session, run_id = self._session, self._run_id
        if session is None:
            return
        reply: dict[str, object] = {"run_id": run_id}
        try:
            summary: LoadSummary = session.play(msg.data["t0_s"] - self._offset_s)
        except (GeneratorError, OSError) as failure:
            reply["error"] = f"failed: {failure}"
        else:
            summary = msgspec.structs.replace(summary, clock_error_ms=self._error_ms)
            reply["summary"] = msgspec.msgpack.encode(summary)
        self._send("aguante_done", reply)

    def _on_stop(self, msg: Any, **_: Any) -> None:
        if msg.data["run_id"] == self._run_id:
            self.stop()

    def _write(self, lines: bytes) -> None:
        try:
            self._send("aguante_lines", {"lines": lines})
        except RPCError as lost:
            message = f"the master cannot be reached: {lost}"
            raise OSError(message) from lost

    def _send(self, name: str, data: Any) -> None:
        self._runner.send_message(name, data)
