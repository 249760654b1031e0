"""The master's side of a load by several processes, on this or on other machines, as Locust's master and workers.

Locust itself distributes users to workers. Here the workers share one *schedule*: each goes through all of it
and sends every n-th arrival (``profiles.intents``), so that together they offer the load of a single process.

    master -> worker  aguante_plan   this worker's plan, and the id of the master's clock
    worker -> master  aguante_ask    asks for the time (ten times; only from another machine)
    master -> worker  aguante_time   the master's clock
    worker -> master  aguante_ready  with an error when it is not
    master -> worker  aguante_start  t0, by the master's clock
    worker -> master  aguante_lines  records, whole lines, which the master writes into one file
    master -> worker  aguante_stop   no further arrivals of that run; a later run is not affected
    worker -> master  aguante_done   its summary, or an error
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import msgspec
from gevent.event import AsyncResult
from locust.runners import STATE_MISSING, MasterRunner

from aguante.load_protocol.records import LoadPlan, LoadSummary
from loadtests.recorder import RecordFile
from loadtests.session import GeneratorError
from loadtests.tally import Tally

POLL_S = 0.2
CONNECT_LIMIT_S = 20.0
"""For the workers to connect and to become ready."""
DRAIN_GRACE_S = 3.0
"""Added to a request's timeout: for a worker to report that it is done."""


def clock_id() -> str:
    """Identifies the machine's boot: processes with the same id share CLOCK_MONOTONIC, even across containers."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class Master:
    """Plays one plan on the workers of a Locust master, with the interface of ``LoadSession``.

    Raises:
        OSError: the records' file cannot be opened.
    """

    def __init__(
        self, plan: LoadPlan, runner: MasterRunner, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._plan = plan
        self._runner = runner
        self._clock = clock
        self._file = RecordFile(plan.records_path)
        self._written = 0
        self._error = ""
        self._summary: LoadSummary | None = None
        self.tally = Tally()
        self._ready: dict[str, AsyncResult] = {}
        self._done: dict[str, AsyncResult] = {}
        self._stopped = False
        for name, listener in (
            ("aguante_ask", self._on_ask),
            ("aguante_ready", self._on_ready),
            ("aguante_lines", self._on_lines),
            ("aguante_done", self._on_done),
        ):
            # left by the previous load when the web UI starts one after another
            runner.custom_messages.pop(name, None)
            runner.register_message(name, listener)

    def gather(self) -> None:
        """Wait until every worker is connected and ready.

        Raises:
            GeneratorError: too few connected in time, or one of them cannot play.
        """
        deadline_s = self._clock() + CONNECT_LIMIT_S
        while not self._choose_workers():
            self._wait_for("workers to connect", deadline_s)
        while waiting := [k for k, ready in self._ready.items() if not ready.ready()]:
            for at, client_id in enumerate(self._ready):
                if client_id in waiting:  # repeatedly: a worker may not be listening yet
                    self._send_plan(at, client_id)
            self._wait_for("workers to be ready", deadline_s)
        for at, ready in enumerate(self._ready.values()):
            if why := ready.get():
                self._fail(f"worker {at} cannot play: {why}")

    def play(self, t0_s: float) -> LoadSummary:
        """Start all workers at ``t0_s``, and await them.

        Raises:
            GeneratorError: a worker failed or was lost, or records could not be written.
        """
        for client_id in self._done:
            self._runner.send_message("aguante_start", {"t0_s": t0_s}, client_id)
        if self._stopped:
            self.stop()
        try:
            summaries = self._await_all()
        except GeneratorError:
            self.stop()
            raise
        finally:
            self._file.close()
        if self._error:
            raise GeneratorError(self._error)
        self._summary = _sum(summaries, self._written)
        return self._summary

    def summary(self) -> LoadSummary | None:
        """Counts of all workers; None until each has reported its own."""
        return self._summary

    def stop(self) -> None:
        """No further arrivals; ``play`` then ends within the request timeout. May be called before ``play``."""
        self._stopped = True
        for client_id in self._done:
            self._runner.send_message("aguante_stop", {"run_id": self._plan.run_id}, client_id)

    def _choose_workers(self) -> bool:
        """Take the first ones, which keep their numbers; return whether there are enough."""
        found = [client.id for client in self._runner.clients.ready][: self._plan.workers]
        if len(found) == self._plan.workers:
            self._ready = {client_id: AsyncResult() for client_id in found}
            self._done = {client_id: AsyncResult() for client_id in found}
        return bool(self._ready)

    def _wait_for(self, what: str, deadline_s: float) -> None:
        if self._clock() > deadline_s:
            connected = len(self._runner.clients.ready)
            self._fail(
                f"waited {CONNECT_LIMIT_S:g} s for {what}: {connected} of {self._plan.workers} are connected; "
                "start the others with `locust -f loadtests/locustfile.py --worker`, or ask for fewer"
            )
        gevent.sleep(POLL_S)

    def _fail(self, why: str) -> None:
        self._file.close()
        raise GeneratorError(why)

    def _send_plan(self, at: int, client_id: str) -> None:
        plan = msgspec.structs.replace(self._plan, worker=at, records_path="")
        data = {"plan": msgspec.msgpack.encode(plan), "clock": clock_id()}
        self._runner.send_message("aguante_plan", data, client_id)

    def _await_all(self) -> list[LoadSummary]:
        """Every worker's summary; raises as soon as one failed or was lost, since part of a load is no evidence."""
        while not all(done.ready() for done in self._done.values()):
            for at, (client_id, done) in enumerate(self._done.items()):
                self._check(at, client_id, done)
            gevent.wait([done for done in self._done.values() if not done.ready()], POLL_S, count=1)
        for at, (client_id, done) in enumerate(self._done.items()):
            self._check(at, client_id, done)
        encoded = [done.get()["summary"] for done in self._done.values()]
        return [msgspec.msgpack.decode(each, type=LoadSummary) for each in encoded]

    def _check(self, at: int, client_id: str, done: AsyncResult) -> None:
        client = self._runner.clients.get(client_id)
        why = ""
        if done.ready():
            why = done.get().get("error", "")
        elif client is None or client.state == STATE_MISSING:
            why = "was lost: records that it had not sent yet are missing"
        if why:
            message = f"worker {at} {why}"
            raise GeneratorError(message)

    def _on_ask(self, msg: Any, **_: Any) -> None:
        data = {"asked_s": msg.data["asked_s"], "master_s": self._clock()}
        self._runner.send_message("aguante_time", data, msg.node_id)

    def _on_ready(self, msg: Any, **_: Any) -> None:
        if msg.node_id in self._ready and msg.data["run_id"] == self._plan.run_id:
            self._ready[msg.node_id].set(msg.data["error"])

    def _on_lines(self, msg: Any, **_: Any) -> None:
        if msg.node_id not in self._done or self._error:
            return
        lines: bytes = msg.data["lines"]
        try:
            self._file.write(lines)
        except OSError as failure:
            self._error = f"{self._plan.records_path}: {failure}"
            self.stop()
        else:
            self._written += lines.count(b"\n")
            self.tally.add_records(lines)

    def _on_done(self, msg: Any, **_: Any) -> None:
        if msg.node_id in self._done and msg.data["run_id"] == self._plan.run_id:
            self._done[msg.node_id].set(msg.data)


def _sum(summaries: list[LoadSummary], written: int) -> LoadSummary:
    return LoadSummary(
        offered=sum(each.offered for each in summaries),
        sent=sum(each.sent for each in summaries),
        shed=sum(each.shed for each in summaries),
        completed=written,
        clock_error_ms=max(each.clock_error_ms for each in summaries),
    )
