"""One run as a child process with a testbed of its own; its output is kept in a file.

The child has its own process session: Ctrl-C reaches only us, and we pass it on as SIGTERM. The child
then heals by its own limits, so we wait for it however often we are told to stop.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from aguante.suite.many_runs import Job
from aguante.verdict.suite_result import Suite, SuiteRun

LAST_LINES = 5


@dataclass(frozen=True)
class Children:
    """How children are started."""

    folder: Path
    """The suite's; outputs go to ``logs/`` in it."""
    options: tuple[str, ...]
    """Of ``aguante run``, the same for every child."""
    margin_s: float
    """A child that takes so much longer than its plan is told to stop; it then heals, which has limits too."""
    stop: asyncio.Event
    program: tuple[str, ...] = (sys.executable, "-m", "aguante")

    async def play(self, job: Job) -> SuiteRun:
        """Play one job to its end. Never raises for a run that fails: the result says so."""
        log = self.folder / "logs" / f"{job.number:03d}-{job.experiment}-{job.policy}.log"
        began = time.monotonic()
        output, code = await self._run(job, log, job.lasts_s + self.margin_s)
        took_s = time.monotonic() - began
        return _result(job, output, code).model_copy(
            update={"took_s": round(took_s, 1), "log": str(log.relative_to(self.folder))}
        )

    async def _run(self, job: Job, log: Path, limit_s: float) -> tuple[bytes, int]:
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *self.program,
                "run",
                *_arguments(job, self.options),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
        reading = asyncio.ensure_future(process.communicate())
        stopped = asyncio.ensure_future(self.stop.wait())
        await asyncio.wait({reading, stopped}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not reading.done():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        output, _ = await reading
        return output, process.returncode or 0


def _arguments(job: Job, options: Sequence[str]) -> list[str]:
    arguments = [job.path, "--json", "--ci", *options]
    if job.policy_given:
        arguments += ["--policy", job.policy]
    if job.seed is not None:
        arguments += ["--seed", str(job.seed)]
    return arguments


def _result(job: Job, output: bytes, code: int) -> SuiteRun:
    """What the child printed, if it is what a run prints; else an error that says how it ended."""
    try:
        (run,) = Suite.model_validate_json(output).runs
    except (ValidationError, ValueError):
        run = SuiteRun(
            experiment=job.experiment,
            title=job.title,
            source=job.path,
            policy=job.policy,
            verdict="error",
            exit_code=code if code in (3, 4, 5) else 5,
            headline=f"the run ended with exit code {code} and without a verdict; its log says why",
        )
    known = {"repeat": job.repeat, "title": job.title, "entry": job.entry}
    return run.model_copy(update=known)
