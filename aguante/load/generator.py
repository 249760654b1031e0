"""Runs the load generator as a child process with its own session, and follows its records.

The program is the locustfile that ``testbed.yaml`` names; ``loadtests/child.py`` describes the protocol. The child
has ended whenever control leaves ``LoadChild.start``.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec

from aguante.core.values import Value
from aguante.load_protocol.records import LoadPlan, LoadSummary
from aguante.plan.plan import Plan
from aguante.run_folder.folder import RunFolder
from aguante.runtimes.processes import tail
from aguante.testbed.runtime import Testbed
from aguante.testbed.testbed_spec import TestbedSpec

T0_LEAD_S = 0.3
"""How far t0 lies ahead when it is sent, so that every process knows it in time."""
READY_LIMIT_S = 30.0
GRACE_S = 5.0
"""Beyond the client's timeout, for the generator to write its summary."""
STOP_GRACE_S = 3.0
"""Beyond the client's timeout, before a child that was asked to stop is killed."""
LOG_TAIL_LINES = 8
RECENT_S = 1.0


class LoadError(Exception):
    """The load generator refused its plan, failed, died or took too long. The message ends with its log.

    ``exit_code`` is that of the child (2: no gateway, 3: invalid plan, 1: it failed), negative if a signal ended
    it, None if it was still running.
    """

    def __init__(self, message: str, exit_code: int | None) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def build_load_plan(
    plan: Plan,
    testbed: Testbed,
    event_ids: Sequence[str],
    folder: RunFolder,
    sold_out_id: str = "",
) -> LoadPlan:
    """The plan's load with the addresses and event ids of a running testbed."""
    return LoadPlan(
        base_url=testbed.gateway,
        profile=plan.load.profile,
        arrivals=plan.load.arrivals,
        rate_rps=plan.load.rate_rps,
        shape=plan.load.shape,
        duration_s=plan.load.duration_s,
        mix=dict(plan.load.mix),
        event_ids=list(event_ids),
        seed=plan.seed,
        timeout_s=plan.load.timeout_s,
        run_id=plan.run_id,
        experiment=plan.experiment,
        phases=[(window.phase, window.start_s, window.end_s) for window in plan.phases],
        records_path=str(folder.records),
        sold_out_id=sold_out_id,
        users=plan.load.users or 0,
        workers=plan.load.workers,
    )


class LoadChild:
    """One load generator. Call start, ready, begin, finish in this order, and ``stop`` at any time."""

    def __init__(self, process: asyncio.subprocess.Process, plan: LoadPlan, log: Path) -> None:
        self._process = process
        self._plan = plan
        self._log = log

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls, plan: LoadPlan, spec: TestbedSpec, log: Path
    ) -> AsyncIterator["LoadChild"]:
        """Start the process; it has ended when the body is left, whatever happened.

        The plan is written beside the records, stderr goes to ``log``.

        Raises:
            OSError: the plan or the log cannot be written, or the process cannot be started.
        """
        plan_path = Path(plan.records_path).with_name("load-plan.json").absolute()
        plan_path.write_bytes(msgspec.json.encode(plan))
        child = cls(await _spawn(plan_path, spec, log), plan, log)
        try:
            yield child
        finally:
            await child.stop()

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    async def ready(self, timeout_s: float) -> None:
        """Wait until it is ready to start.

        Raises:
            LoadError: it refused the plan, died, or was not ready in time; it has ended.
        """
        line = await self._line(timeout_s, "was not ready")
        if line.strip() != "ready":
            raise await self._failed(f"printed {line.strip()!r} instead of ready")

    def begin(self, t0_s: float) -> None:
        """Send t0, seconds of ``time.monotonic()``, which all processes of a machine share.

        ``finish`` reports a child that has died meanwhile.
        """
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - start() asked for a pipe
        stdin.write(f"t0 {t0_s!r}\n".encode())

    def end_arrivals(self) -> None:
        """Send no more requests; does not wait. ``finish`` returns once the outstanding responses have arrived."""
        self._signal(signal.SIGTERM)

    def close_stdin(self) -> None:
        """Close its stdin, as the death of the runner would: before t0 it exits at once, after t0 it stops."""
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - start() asked for a pipe
        stdin.close()

    async def finish(self, timeout_s: float) -> LoadSummary:
        """Wait for the end of the load and of the process.

        Raises:
            LoadError: it failed, died, or did not end in time; it has ended.
        """
        line = await self._line(timeout_s, "did not finish")
        try:
            summary = msgspec.json.decode(line, type=LoadSummary)
        except msgspec.MsgspecError as garbled:
            raise await self._failed(f"printed {line.strip()!r} instead of a summary") from garbled
        await self._end(STOP_GRACE_S)
        if self._process.returncode:
            raise await self._failed("failed after its summary")
        return summary

    async def stop(self) -> None:
        """Send no more requests, wait for the outstanding responses, then kill it. Idempotent.

        Takes up to the request timeout plus ``STOP_GRACE_S``. After ``begin``, ``finish`` still returns the summary.
        """
        self.end_arrivals()
        await self._end(self._plan.timeout_s + STOP_GRACE_S)

    async def _line(self, timeout_s: float, what: str) -> str:
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - start() asked for a pipe
        try:
            async with asyncio.timeout(timeout_s):
                line = await stdout.readline()
        except TimeoutError as late:
            raise await self._failed(f"{what} within {timeout_s:g} s") from late
        if not line:
            raise await self._failed("ended")
        return line.decode(errors="replace")

    async def _failed(self, what: str) -> LoadError:
        """End the process and return the error to raise."""
        await self._end(0.5)
        code = self._process.returncode
        message = (
            f"the load generator {what} (exit code {code}); {self._log}:\n"
            f"{tail(self._log, LOG_TAIL_LINES)}"
        )
        return LoadError(message, code)

    async def _end(self, grace_s: float) -> None:
        """Wait for the process, then kill its process group; shielded against a second cancellation."""
        try:
            async with asyncio.timeout(grace_s):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            self._signal(signal.SIGKILL)
            await asyncio.shield(self._process.wait())

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


async def _spawn(plan: Path, spec: TestbedSpec, log: Path) -> asyncio.subprocess.Process:
    search = os.pathsep.join(filter(None, (str(spec.root), os.environ.get("PYTHONPATH"))))
    with log.open("ab") as stderr:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # the locustfile's folder must not shadow other modules
            str(spec.load.locustfile),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env=os.environ | {"AGUANTE_LOAD_PLAN": str(plan), "PYTHONPATH": search},
            start_new_session=True,  # so that Ctrl-C reaches only the runner
        )


class LiveLoad(Value):
    """The records so far, for live display and not for judging."""

    completed: int
    """Records so far."""
    codes: dict[str, int]
    """Responses so far by status code (``0``: no response), in order of code."""
    achieved_rps: float
    """Requests that ended in the last second, per second."""


class _Seen(msgspec.Struct):
    """The columns that live progress needs; the others are not decoded."""

    intended_s: float
    latency_ms: float
    status: int


class RecordTail:
    """Follows the records while they are written; each ``poll`` reads only new lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._decoder = msgspec.json.Decoder(_Seen)
        self._by_status: Counter[int] = Counter()
        self._recent: deque[float] = deque()
        self._latest_s = 0.0

    def poll(self, now_s: float | None = None) -> LiveLoad:
        """Read the new complete lines; a missing file has none.

        Args:
            now_s: end of the last second, seconds since t0; by default the end of the latest record, which cannot
                show that responses have stopped arriving.
        """
        for line in self._new_lines():
            seen = self._decoder.decode(line)
            self._by_status[seen.status] += 1
            ended_s = seen.intended_s + seen.latency_ms / 1000
            self._latest_s = max(self._latest_s, ended_s)
            self._recent.append(ended_s)
        horizon_s = (self._latest_s if now_s is None else now_s) - RECENT_S
        while self._recent and self._recent[0] < horizon_s:
            self._recent.popleft()
        return LiveLoad(
            completed=self._by_status.total(),
            codes={str(status): count for status, count in sorted(self._by_status.items())},
            achieved_rps=len(self._recent) / RECENT_S,
        )

    def _new_lines(self) -> list[bytes]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.splitlines()
