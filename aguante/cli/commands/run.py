"""``aguante run``: run experiments and print their verdicts."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from aguante.cli.commands.recover import driver_for, gone
from aguante.cli.consoles import ProgressConsole
from aguante.cli.exit_code import ExitCode
from aguante.cli.options.completion_names import policies
from aguante.cli.options.experiment_files import (
    Loaded,
    experiment_argument,
    select,
    set_option,
    tag_option,
)
from aguante.cli.options.run_folders import runs_option, writable
from aguante.cli.options.runtime_choice import (
    ChosenRuntime,
    RuntimeName,
    attach_option,
    chosen,
    refuse_stdin,
    runtime_option,
)
from aguante.cli.options.stop_signals import stop_on_signals
from aguante.cli.options.testbed_option import testbed_option
from aguante.cli.options.with_option import with_option
from aguante.cli.play_single import Stage, check_policy, lasts_s, play_here
from aguante.cli.play_suite import SuiteOptions, command_line, play_suite, show_suite
from aguante.cli.render.verdict_text import verdict_console
from aguante.run.recover_runs import recover
from aguante.runtimes.sidecars import Sidecars
from aguante.runtimes.testbed_state import default_parent
from aguante.suite.many_runs import Entry, Job, interleave, play_jobs
from aguante.verdict.suite_result import Suite, SuiteRun

jobs_option = click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="Number of concurrent runs, each with its own testbed; each needs about one core.",
)
retry_option = click.option(
    "--retry-inconclusive",
    type=click.IntRange(0, 5),
    default=0,
    show_default=True,
    metavar="N",
    help="Repeat an inconclusive run up to N times; deviated runs are never repeated.",
)


@click.command("run")
@experiment_argument
@testbed_option
@set_option
@click.option(
    "--policy",
    shell_complete=policies,
    help="Use this policy instead of the one of the experiment.",
)
@runtime_option
@attach_option
@with_option
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**32 - 1),
    help="Seed of all random values, to repeat an earlier run; --repeat adds 1 for each round.",
)
@tag_option
@click.option(
    "--repeat",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    metavar="N",
    help="Run everything N times, interleaved.",
)
@jobs_option
@retry_option
@runs_option
@click.option("--json", "as_json", is_flag=True, help="Print only the results, as JSON.")
@click.option("--quiet", is_flag=True, help="Print only the verdicts, no progress.")
@click.option("--ci", is_flag=True, help="Plain lines: no colours, nothing redrawn.")
def run_command(  # noqa: PLR0913 - an argument for each option
    experiments: tuple[Path, ...],
    testbed: Path | None,
    sets: tuple[str, ...],
    policy: str | None,
    runtime_name: RuntimeName | None,
    attach: str | None,
    sidecars: Sidecars,
    seed: int | None,
    tags: tuple[str, ...],
    repeat: int,
    jobs: int,
    retry_inconclusive: int,
    runs: Path,
    as_json: bool,
    quiet: bool,
    ci: bool,
) -> int:
    """Run EXPERIMENT files on the real system, and print a verdict for each.

    EXPERIMENT is a file, a folder (all its *.yaml), or a quoted pattern.

    Starts the services, PostgreSQL and Toxiproxy, natively or in containers (or uses a running testbed), generates
    open-loop load, injects the faults, heals them, audits the databases, and writes a run folder with verdict.json
    and report.html.

    With several runs (many files, or --repeat), each runs in a process of its own whose output is kept in a log.
    The folder runs/suite-<time>/ then contains overview.html, overview.md, junit.xml and suite.json.

    The exit code is the most severe one of all runs (see `aguante --help`). Ctrl-C heals the faults and then stops.
    """
    runtime = chosen(runtime_name, attach, at_once=jobs, sidecars=sidecars.names)
    loaded = select(experiments, tags, testbed, sets, runtime.name)
    if loaded.invalid:
        return ExitCode.INVALID
    check_policy(loaded.spec, policy)
    progress = ProgressConsole(plain=ci)
    if not heal_leftovers(runs, progress):
        return ExitCode.TESTBED
    planned = interleave(_entries(loaded, policy), repeat, seed)
    verdicts = progress if as_json else verdict_console(plain=ci)
    if len(planned) == 1:
        live = progress.is_terminal and not ci
        stage = Stage(loaded.spec, runs, progress, verdicts, quiet, live, runtime)
        suite = asyncio.run(_play_alone(planned[0], loaded, stage, retry_inconclusive))
    else:
        refuse_stdin(runtime)
        given = passed_on(testbed, runs, sets, runtime)
        options = SuiteOptions(runs, jobs, retry_inconclusive, given, progress, quiet)
        suite, folder = asyncio.run(play_suite(planned, options))
        show_suite(verdicts, suite, folder)
    if as_json:
        click.echo(suite.model_dump_json(indent=2))
    return suite.exit_code


def heal_leftovers(runs: Path, console: Console) -> bool:
    """Undo the faults that killed runs left behind; False if one could not be undone.

    Raises:
        TestbedError: the folder of all runs cannot be written, so no run could be journaled.
    """
    writable(runs)
    left = asyncio.run(recover(runs, default_parent(), driver_for, gone))
    for each in left:
        console.print(f"{each.run_id}: {each.fault_id}: {each.how or each.error}", soft_wrap=True)
    return not any(each.error for each in left)


def _entries(loaded: Loaded, policy: str | None) -> list[Entry]:
    return [
        Entry(
            path=str(path),
            experiment=experiment.name,
            title=experiment.title,
            policy=policy or experiment.policy,
            policy_given=policy is not None,
            lasts_s=lasts_s(experiment, loaded.spec),
        )
        for path, experiment in loaded.experiments
    ]


def passed_on(
    testbed: Path | None, runs: Path, sets: tuple[str, ...], runtime: ChosenRuntime
) -> tuple[str, ...]:
    """The options for every child process of a suite."""
    spec = ("--testbed", str(testbed)) if testbed else ()
    settings = (part for text in sets for part in ("--set", text))
    return (*spec, *settings, *runtime.options, "--runs", str(runs))


async def _play_alone(job: Job, loaded: Loaded, stage: Stage, retries: int) -> Suite:
    """Play a single run in this process, with its progress on the terminal."""
    started, began = datetime.now(UTC), time.monotonic()
    with stop_on_signals() as stop:

        async def play(job: Job) -> SuiteRun:
            return await play_here(job, loaded.experiments[0][1], stage, stop)

        results = await play_jobs(
            (job,), play, at_once=1, retry_inconclusive=retries, stop=stop, told=lambda *_: None
        )
    return Suite(
        suite_id="",
        command=command_line(),
        started_at=started.isoformat(timespec="seconds"),
        took_s=round(time.monotonic() - began, 1),
        jobs=1,
        planned=1,
        runs=results,
    )
