"""``aguante run``: play experiments, print verdicts, exit by them."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from aguante.cli.commands.recover import heal_killed_runs
from aguante.cli.consoles import ProgressConsole
from aguante.cli.options.arguments import Loaded, experiment_argument, set_option, testbed_option
from aguante.cli.options.completion_names import policies
from aguante.cli.options.experiment_choice import select, tag_option
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
from aguante.cli.options.with_option import with_option
from aguante.cli.play_single import Stage, check_policy, lasts_s, play_here
from aguante.cli.play_suite import SuiteOptions, command_line, play_suite, show_suite
from aguante.cli.render.verdict_text import verdict_console
from aguante.runtimes.sidecars import Sidecars
from aguante.suite.many_runs import Entry, Job, interleave, play_jobs
from aguante.verdict.suite_result import Suite, SuiteRun

jobs_option = click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="Play N runs at once, each with a testbed of its own; about one core each.",
)
retry_option = click.option(
    "--retry-inconclusive",
    type=click.IntRange(0, 5),
    default=0,
    show_default=True,
    metavar="N",
    help="Play an inconclusive run again, up to N times; a deviated one never is.",
)


@click.command("run")
@experiment_argument
@testbed_option
@set_option
@click.option(
    "--policy",
    shell_complete=policies,
    help="Play with this policy instead of the experiment's own.",
)
@runtime_option
@attach_option
@with_option
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**32 - 1),
    help="Repeat the random draws of an earlier run; --repeat counts up from it.",
)
@tag_option
@click.option(
    "--repeat",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    metavar="N",
    help="Play everything N times, interleaved.",
)
@jobs_option
@retry_option
@runs_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print the results as JSON, and nothing else."
)
@click.option("--quiet", is_flag=True, help="No progress; print the verdicts alone.")
@click.option("--ci", is_flag=True, help="Plain lines, no colours, nothing redrawn.")
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
    """Play EXPERIMENT files on the real system, and print a verdict for each.

    EXPERIMENT is a file, a folder (all its *.yaml), or a pattern in quotes.

    Starts five services, PostgreSQL and Toxiproxy, natively or in containers (or borrows a testbed that
    runs), sends open-loop load, injects the faults, heals them, audits the databases, and writes a run
    folder with verdict.json and report.html.
    Several runs (many files, --repeat) are played by one process each, which keeps its output;
    a folder runs/suite-<time>/ then holds overview.html, overview.md, junit.xml and suite.json.

    The exit code is the gravest of all runs (see `aguante --help`). Ctrl-C heals first, and begins
    nothing new.
    """
    runtime = chosen(runtime_name, attach, at_once=jobs, sidecars=sidecars.names)
    loaded = select(experiments, tags, testbed, sets, runtime.name)
    if loaded.invalid:
        return 3
    check_policy(loaded.spec, policy)
    progress = ProgressConsole(plain=ci)
    if not heal_leftovers(runs, progress):
        return 4
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
    """What killed runs left behind is healed first; False when something could not be.

    Raises:
        TestbedError: the runs folder cannot be written; then no run can be journaled, either.
    """
    writable(runs)
    left = heal_killed_runs(runs)
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
    """The options that every child of a suite is given."""
    spec = ("--testbed", str(testbed)) if testbed else ()
    settings = (part for text in sets for part in ("--set", text))
    return (*spec, *settings, *runtime.options, "--runs", str(runs))


async def _play_alone(job: Job, loaded: Loaded, stage: Stage, retries: int) -> Suite:
    """One run, in this process, with its progress on the terminal."""
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
