"""Runs a job as a child process with its own testbed; its output is stored in a file.

The child has its own process session, so that Ctrl-C reaches only this process, which forwards it as SIGTERM. The
child then heals within its own limits, so it is awaited however often a signal arrives.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from aguante.core.own_program import aguante_command
from aguante.suite.many_runs import Job
from aguante.verdict.suite_result import Suite, SuiteRun


@dataclass(frozen=True)
class ChildRuns:
    """Runs jobs as children of this process."""

    folder: Path
    """The suite's folder; outputs go to its ``logs/``."""
    options: Sequence[str]
    """Options of ``aguante run`` that all children share."""
    margin_s: float
    """How much longer than planned a child may take before it is asked to stop; healing has its own limits."""
    stop: asyncio.Event
    program: Callable[..., list[str]] = aguante_command

    async def run(self, job: Job) -> SuiteRun:
        """Run one job to its end. Never raises for a run that fails; the result says so."""
        log = self.folder / "logs" / f"{job.number:03d}-{job.experiment}-{job.policy}.log"
        began = time.monotonic()
        output, code = await self._run(job, log, job.lasts_s + self.margin_s)
        took_s = round(time.monotonic() - began, 1)
        return _result(job, output, code).model_copy(
            update={"took_s": took_s, "log": str(log.relative_to(self.folder))}
        )

    async def _run(self, job: Job, log: Path, limit_s: float) -> tuple[bytes, int]:
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *self.program("run", *_arguments(job), *self.options),
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


def _arguments(job: Job) -> list[str]:
    arguments = [job.path, "--json", "--ci"]
    if job.policy_given:
        arguments += ["--policy", job.policy]
    if job.seed is not None:
        arguments += ["--seed", str(job.seed)]
    return arguments


def _result(job: Job, output: bytes, code: int) -> SuiteRun:
    """The result that the child printed, else an error with its exit code."""
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
            headline=f"the run ended with exit code {code} and without a verdict; see its log",
        )
    return run.model_copy(update={"repeat": job.repeat, "title": job.title, "entry": job.entry})
