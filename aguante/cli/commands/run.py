"""``aguante run``: run experiments and print their verdicts."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from aguante.cli.consoles import ProgressConsole, output_console
from aguante.cli.diagnose.process_limits import require_process_limits
from aguante.cli.exit_code import ExitCode
from aguante.cli.options.command_line import command_line
from aguante.cli.options.completion_names import policies
from aguante.cli.options.experiment_files import (
    select,
    set_option,
    tag_option,
)
from aguante.cli.options.library_choice import choose_experiment
from aguante.cli.options.run_folders import runs_option, writable
from aguante.cli.options.runtime_choice import attach_option, chosen, refuse_stdin, runtime_option
from aguante.cli.options.testbed_option import check_policy, testbed_option
from aguante.cli.options.with_option import with_option
from aguante.cli.play_single import play_single
from aguante.cli.play_suite import play_suite
from aguante.cli.render.run_text import Terminal
from aguante.cli.render.verdict_text import print_suite
from aguante.core.input_files import STDIN
from aguante.run.recover_runs import recover
from aguante.run.single import SingleRun
from aguante.runtimes.chosen_runtime import ChosenRuntime, RuntimeName
from aguante.runtimes.sidecars import Sidecars
from aguante.runtimes.testbed_state import default_parent
from aguante.suite.many_runs import Entry, interleave
from aguante.suite.suite_runner import SuiteSettings, suite_of_one
from aguante.testbed.testbed_spec import TestbedSpec

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
@click.argument("experiments", nargs=-1, metavar="[EXPERIMENT...]", type=click.Path(path_type=Path))
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

    EXPERIMENT is a file, a folder (all its YAML files), a quoted pattern, a name from the library (see `aguante list`),
    or - for standard input; without one, the experiments of the library are offered.

    Starts the services, PostgreSQL and Toxiproxy, natively or in containers (or uses a running testbed), generates
    open-loop load, injects the faults, heals them, audits the databases, and writes a run folder with verdict.json
    and report.html.

    With several runs (many files, or --repeat), each runs in a process of its own whose output is kept in a log.
    The folder runs/suite-<time>/ then contains overview.html, overview.md, junit.xml and suite.json.

    The exit code is the most severe one of all runs (see `aguante --help`). Ctrl-C heals the faults and then stops.
    """
    experiments = experiments or (choose_experiment(testbed, ask=not (as_json or quiet or ci)),)
    refuse_stdin_twice(experiments, attach)
    runtime = chosen(runtime_name, attach, at_once=jobs, sidecars=sidecars.names)
    loaded = select(experiments, tags, testbed, sets, runtime.name, keep_in=runs)
    if loaded.invalid:
        return ExitCode.INVALID
    check_policy(loaded.spec, policy)
    progress = ProgressConsole(plain=ci)
    if not prepare(runs, loaded.spec, runtime.name, progress):
        return ExitCode.TESTBED
    verdicts = progress if as_json else output_console(plain=ci)
    if len(loaded.experiments) * repeat == 1:
        ((path, experiment),) = loaded.experiments
        wanted = SingleRun(experiment, loaded.spec, str(path), runs, policy, seed, runtime)
        live = progress.is_terminal and not ci
        terminal = Terminal(progress, verdicts, quiet=quiet, live=live)
        started = datetime.now(UTC)
        result = play_single(wanted, terminal, retry_inconclusive)
        suite = suite_of_one(result, started, command_line())
    else:
        refuse_stdin(runtime)
        given = passed_on(testbed, runs, sets, runtime)
        settings = SuiteSettings(runs, jobs, retry_inconclusive, given, command_line())
        entries = [Entry.of(*each, loaded.spec, policy) for each in loaded.experiments]
        planned = interleave(entries, repeat, seed)
        suite, folder = play_suite(planned, settings, progress, quiet=quiet)
        print_suite(verdicts, suite, folder)
    if as_json:
        click.echo(suite.model_dump_json(indent=2))
    return suite.exit_code


def refuse_stdin_twice(experiments: tuple[Path, ...], attach: str | None) -> None:
    """Standard input holds one file.

    Raises:
        click.UsageError: both the experiment and the testbed are to be read from it.
    """
    if attach == str(STDIN) and STDIN in experiments:
        message = "standard input can be used only once: give EXPERIMENT or --attach as a file"
        raise click.UsageError(message)


def prepare(runs: Path, spec: TestbedSpec, runtime: RuntimeName, console: Console) -> bool:
    """Check what a run needs, and undo the faults that killed runs left behind; False if one could not be undone.

    Raises:
        TestbedError: a run could not succeed, or could not be journaled.
    """
    require_process_limits(runtime, spec)
    writable(runs)
    left = asyncio.run(recover(runs, default_parent()))
    for each in left:
        text = f"{each.run_id}: {each.fault_id}: {each.how or each.error}"
        console.print(text, markup=False, soft_wrap=True)
    return not any(each.error for each in left)


def passed_on(
    testbed: Path | None, runs: Path, sets: tuple[str, ...], runtime: ChosenRuntime
) -> tuple[str, ...]:
    """The options for every child process of a suite."""
    spec = ("--testbed", str(testbed)) if testbed else ()
    settings = (part for text in sets for part in ("--set", text))
    return (*spec, *settings, *runtime.options, "--runs", str(runs))
