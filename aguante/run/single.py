"""One run from an experiment to its result: plan it, compose it, run it, and give every ending an exit code."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from aguante.drivers.driver import FaultError
from aguante.experiment import Experiment
from aguante.load.generator import LoadError
from aguante.plan.build import build_plan, new_run_id
from aguante.plan.plan import Plan
from aguante.report.analyse import JudgedRun
from aguante.run.compose_run import compose_run
from aguante.run.fault_executor import HealError
from aguante.run.orchestrator import EvidenceLostError, StoppedEarlyError, run
from aguante.run.parts import RunRequest
from aguante.run.progress import Progress
from aguante.run_folder.journal import JournalError
from aguante.runtimes.chosen_runtime import NATIVE, ChosenRuntime
from aguante.testbed.runtime import TestbedError
from aguante.testbed.testbed_spec import TestbedSpec
from aguante.verdict.suite_result import SuiteRun
from aguante.verdict.verdict import VerdictWord

INCONCLUSIVE, TESTBED_FAILED = 2, 4
"""Exit codes, as of every command."""


@dataclass(frozen=True)
class SingleRun:
    """One run, as a command asks for it."""

    experiment: Experiment
    spec: TestbedSpec
    source: str
    """Path of the experiment file as given."""
    runs: Path
    """Folder of all runs."""
    policy: str | None = None
    """None: the experiment's own."""
    seed: int | None = None
    """None: the experiment's seed, or a random one."""
    runtime: ChosenRuntime = NATIVE

    def plan(self) -> Plan:
        """A plan with a new run id."""
        seeds = (self.seed, self.experiment.seed, secrets.randbelow(2**32))
        plan = build_plan(
            self.experiment.model_copy(update={"policy": self.policy or self.experiment.policy}),
            self.spec,
            run_id=new_run_id(self.experiment.name, datetime.now(UTC), secrets.token_hex(2)),
            seed=next(seed for seed in seeds if seed is not None),
            source=self.source,
            runtime=self.runtime.name,
        )
        return plan.model_copy(update={"attach": self.runtime.which})


@dataclass(frozen=True)
class RunEnd:
    """How a run ended."""

    result: SuiteRun
    judged: JudgedRun | None
    """None: it has no verdict, and ``result.headline`` says why."""


async def run_single(
    wanted: SingleRun,
    progress: Progress,
    stop: asyncio.Event,
    *,
    retry_inconclusive: int = 0,
    ended: Callable[[RunEnd], None],
) -> SuiteRun:
    """Run an experiment in this process; an inconclusive run is repeated up to ``retry_inconclusive`` times.

    ``ended`` is called after each attempt. A run that fails is a result and is not raised.
    """

    async def attempt() -> SuiteRun:
        end = await _run_once(wanted, progress, stop)
        ended(end)
        return end.result

    return await until_conclusive(attempt, retry_inconclusive, stop)


async def until_conclusive(
    attempt: Callable[[], Awaitable[SuiteRun]], retries: int, stop: asyncio.Event
) -> SuiteRun:
    """The first attempt that is not inconclusive, else the last one of 1 + ``retries``; none starts after ``stop``.

    A deviated run is never repeated: repeating it until it holds would hide what was found.
    """
    attempts = 1
    result = await attempt()
    while result.verdict == "inconclusive" and attempts <= retries and not stop.is_set():
        result = await attempt()
        attempts += 1
    return result.model_copy(update={"attempts": attempts})


async def _run_once(wanted: SingleRun, progress: Progress, stop: asyncio.Event) -> RunEnd:
    plan = wanted.plan()
    request = RunRequest(plan, wanted.spec, wanted.experiment.origin.source, wanted.runs)
    began = time.monotonic()
    try:
        judged = await run(request, compose_run(request, wanted.runtime, progress), stop)
    except (StoppedEarlyError, EvidenceLostError) as error:
        return RunEnd(_result(plan, "inconclusive", INCONCLUSIVE, error), None)
    except (TestbedError, HealError, JournalError, LoadError, FaultError) as error:
        return RunEnd(_result(plan, "error", TESTBED_FAILED, error), None)
    verdict = judged.verdict
    result = _result(plan, verdict.verdict, verdict.exit_code, verdict.headline).model_copy(
        update={"reasons": verdict.reasons, "took_s": round(time.monotonic() - began, 1)}
    )
    return RunEnd(result, judged)


def _result(
    plan: Plan, verdict: VerdictWord | Literal["error"], exit_code: int, headline: object
) -> SuiteRun:
    return SuiteRun(
        experiment=plan.experiment,
        title=plan.title,
        source=plan.source,
        policy=plan.policy,
        run_id=plan.run_id,
        seed=plan.seed,
        verdict=verdict,
        expected_verdict=plan.expected_verdict,
        exit_code=exit_code,
        headline=str(headline),
    )
