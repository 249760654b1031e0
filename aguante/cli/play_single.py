"""Playing one run in this process: what ``run`` does for a single experiment, and every child of a suite."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from aguante.cli.options.runtime_choice import NATIVE, ChosenRuntime
from aguante.cli.render.verdict_text import print_verdict
from aguante.collect.promql_samples import queries_of
from aguante.core.findings import shortened
from aguante.drivers.driver import FaultError
from aguante.experiment import Experiment
from aguante.load.generator import LoadError
from aguante.plan.build import build_plan, new_run_id
from aguante.plan.plan import Plan
from aguante.run.fault_executor import HealError
from aguante.run.orchestrator import (
    EvidenceLostError,
    RunOutcome,
    RunRequest,
    StoppedEarlyError,
    run,
)
from aguante.run.progress import LiveProgress, PlainProgress, Progress, QuietProgress
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.journal import JournalError
from aguante.suite.many_runs import Job
from aguante.testbed.runtime import Runtime, TestbedError
from aguante.testbed.testbed_spec import TestbedSpec
from aguante.verdict.suite_result import SuiteRun
from aguante.verdict.verdict import Verdict


@dataclass(frozen=True)
class Stage:
    """What every run of one command shares."""

    spec: TestbedSpec
    runs: Path
    progress: Console
    """Standard error."""
    verdicts: Console
    quiet: bool
    live: bool
    """Redraw a table in place; else plain lines."""
    runtime: ChosenRuntime = NATIVE


def check_policy(spec: TestbedSpec, policy: str | None) -> None:
    """Refuse a policy that is not there, before anything starts.

    Raises:
        click.UsageError: names those that are there.
    """
    if policy is not None and policy not in spec.policy_names:
        known = ", ".join(spec.policy_names)
        message = (
            f"--policy {shortened(policy)}: no such file in {spec.policies}; there are: {known}"
        )
        raise click.UsageError(message)


def lasts_s(experiment: Experiment, spec: TestbedSpec) -> float:
    """How long a run takes by its plan: every phase, and the longest rest before the audit."""
    phases_s = sum(length for _, length in experiment.phases.lengths())
    return phases_s + spec.settle.within_s


def plan_of(
    job: Job, experiment: Experiment, spec: TestbedSpec, runtime: ChosenRuntime = NATIVE
) -> Plan:
    """A plan with a fresh run id; the seed is the job's, else the experiment's, else drawn."""
    chosen = experiment.model_copy(update={"policy": job.policy})
    seeds = (job.seed, experiment.seed, secrets.randbelow(2**32))
    plan = build_plan(
        chosen,
        spec,
        run_id=new_run_id(experiment.name, datetime.now(UTC), secrets.token_hex(2)),
        seed=next(number for number in seeds if number is not None),
        source=job.path,
        runtime=runtime.name,
    )
    return plan.model_copy(update={"attach": runtime.which})


async def play_here(
    job: Job, experiment: Experiment, stage: Stage, stop: asyncio.Event
) -> SuiteRun:
    """Play one run in this process, print its verdict, and say what came of it.

    A testbed that fails is said on standard error and in the result; it is not raised.
    """
    request = _request(job, experiment, stage)
    began = time.monotonic()
    with _progress(stage) as progress:
        try:
            outcome = await run(request, _runtime_for(request, stage), progress, stop)
        except (StoppedEarlyError, EvidenceLostError) as error:
            click.echo(str(error), err=True)
            return _without_verdict(job, request.plan, "inconclusive", 2, str(error))
        except (TestbedError, HealError, JournalError, LoadError, FaultError) as error:
            click.echo(f"error: {error}", err=True)
            return _without_verdict(job, request.plan, "error", 4, str(error))
    print_verdict(stage.verdicts, outcome.verdict, outcome.folder)
    return result_of(job, outcome, time.monotonic() - began)


def _runtime_for(request: RunRequest, stage: Stage) -> Runtime:
    """A fresh runtime, with a Prometheus where the experiment asks for one."""
    wanted = ("prometheus",) if queries_of(request.plan) else ()
    samples = RunFolder(request.runs / request.plan.run_id).samples
    return stage.runtime.make(wanted, samples)


def _request(job: Job, experiment: Experiment, stage: Stage) -> RunRequest:
    plan = plan_of(job, experiment, stage.spec, stage.runtime)
    return RunRequest(plan, stage.spec, experiment.origin.source, stage.runs)


def result_of(job: Job, outcome: RunOutcome, took_s: float) -> SuiteRun:
    """A judged run as a line of a suite."""
    return line_of(outcome.verdict).model_copy(
        update={"source": job.path, "repeat": job.repeat, "took_s": round(took_s, 1)}
    )


def line_of(verdict: Verdict) -> SuiteRun:
    """A verdict as a line of a suite."""
    return SuiteRun(
        experiment=verdict.experiment,
        title=verdict.title,
        source="",
        policy=verdict.policy,
        run_id=verdict.run_id,
        seed=verdict.seed,
        verdict=verdict.verdict,
        expected_verdict=verdict.expected_verdict,
        exit_code=verdict.exit_code,
        headline=verdict.headline,
        reasons=verdict.reasons,
    )


def _without_verdict(job: Job, plan: Plan, word: str, code: int, why: str) -> SuiteRun:
    return SuiteRun.model_validate(
        {
            "experiment": job.experiment,
            "title": job.title,
            "source": job.path,
            "policy": job.policy,
            "repeat": job.repeat,
            "run_id": plan.run_id,
            "seed": plan.seed,
            "verdict": word,
            "expected_verdict": plan.expected_verdict,
            "exit_code": code,
            "headline": why,
        }
    )


@contextlib.contextmanager
def _progress(stage: Stage) -> Iterator[Progress]:
    if stage.quiet:
        yield QuietProgress()
    elif stage.live:
        with LiveProgress(stage.progress) as live:
            yield live
    else:
        yield PlainProgress(stage.progress)
