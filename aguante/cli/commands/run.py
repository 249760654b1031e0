"""``aguante run``: play experiments, print verdicts, exit by them."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from aguante.cli.consoles import ProgressConsole
from aguante.cli.options.arguments import (
    check_policy,
    command_line,
    experiment_argument,
    set_option,
    testbed_option,
)
from aguante.cli.options.completion_names import policies
from aguante.cli.options.experiment_choice import select, tag_option
from aguante.cli.options.run_folders import runs_option, writable
from aguante.cli.options.runtime_choice import attach_option, chosen, refuse_stdin, runtime_option
from aguante.cli.options.with_option import with_option
from aguante.cli.play_single import play_single
from aguante.cli.play_suite import play_suite
from aguante.cli.render.run_text import Terminal
from aguante.cli.render.verdict_text import print_suite, verdict_console
from aguante.run.recover_runs import recover
from aguante.run.single import SingleRun
from aguante.runtimes.chosen_runtime import ChosenRuntime, RuntimeName
from aguante.runtimes.sidecars import Sidecars
from aguante.runtimes.testbed_state import default_parent
from aguante.suite.many_runs import Entry, interleave
from aguante.suite.suite_runner import SuiteSettings, suite_of_one

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
    entries = [Entry.of(*each, loaded.spec, policy) for each in loaded.experiments]
    planned = interleave(entries, repeat, seed)
    verdicts = progress if as_json else verdict_console(plain=ci)
    if len(planned) == 1:
        wanted = SingleRun(
            loaded.experiments[0][1],
            loaded.spec,
            planned[0].path,
            runs,
            planned[0].policy,
            seed,
            runtime,
        )
        live = progress.is_terminal and not ci
        terminal = Terminal(progress, verdicts, quiet=quiet, live=live)
        started = datetime.now(UTC)
        result = play_single(wanted, terminal, retry_inconclusive)
        suite = suite_of_one(result, started, command_line())
    else:
        refuse_stdin(runtime)
        given = passed_on(testbed, runs, sets, runtime)
        settings = SuiteSettings(runs, jobs, retry_inconclusive, given, command_line())
        suite, folder = play_suite(planned, settings, progress, quiet=quiet)
        print_suite(verdicts, suite, folder)
    if as_json:
        click.echo(suite.model_dump_json(indent=2))
    return suite.exit_code


def heal_leftovers(runs: Path, console: Console) -> bool:
    """What killed runs left behind is healed first; False when something could not be.

    Raises:
        TestbedError: the runs folder cannot be written; then no run can be journaled, either.
    """
    writable(runs)
    left = asyncio.run(recover(runs, default_parent()))
    for each in left:
        console.print(f"{each.run_id}: {each.fault_id}: {each.how or each.error}", soft_wrap=True)
    return not any(each.error for each in left)


def passed_on(
    testbed: Path | None, runs: Path, sets: tuple[str, ...], runtime: ChosenRuntime
) -> tuple[str, ...]:
    """The options that every child of a suite is given."""
    spec = ("--testbed", str(testbed)) if testbed else ()
    settings = (part for text in sets for part in ("--set", text))
    return (*spec, *settings, *runtime.options, "--runs", str(runs))
