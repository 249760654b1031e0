"""``aguante run``: run experiments and print their verdicts."""

from pathlib import Path

import click

from aguante.cli.consoles import ProgressConsole, output_console
from aguante.cli.exit_code import ExitCode
from aguante.cli.options.child_options import jobs_option, passed_on, retry_option
from aguante.cli.options.completion_names import policies
from aguante.cli.options.experiment_files import select, set_option, tag_option
from aguante.cli.options.library_choice import choose_experiment
from aguante.cli.options.runs_option import runs_option
from aguante.cli.options.runtime_choice import attach_option, chosen, refuse_stdin, runtime_option
from aguante.cli.options.testbed_option import check_policy, testbed_option
from aguante.cli.options.with_option import with_option
from aguante.core.input_files import STDIN
from aguante.runtimes.chosen_runtime import RuntimeName
from aguante.runtimes.sidecars import Sidecars


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
    if not experiments:
        experiments = (choose_experiment(testbed, ask=not (as_json or quiet or ci)),)
    if attach == str(STDIN) and STDIN in experiments:
        message = "standard input can be used only once: give EXPERIMENT or --attach as a file"
        raise click.UsageError(message)
    runtime = chosen(runtime_name, attach, at_once=jobs, sidecars=sidecars.names)
    loaded = select(experiments, tags, testbed, sets, runtime.name, keep_in=runs)
    if loaded.invalid:
        return ExitCode.INVALID
    check_policy(loaded.spec, policy)
    if len(loaded.experiments) * repeat > 1:
        refuse_stdin(runtime)
    # These imports take more than a second: --help and a wrong option do not wait for them.
    from aguante.cli.play_experiments import Rounds, play_experiments
    from aguante.cli.prepare_run import prepare
    from aguante.cli.render.run_text import Terminal

    progress = ProgressConsole(plain=ci)
    if not prepare(runs, loaded.spec, runtime.name, progress):
        return ExitCode.TESTBED
    given = passed_on(testbed, runs, sets, runtime)
    rounds = Rounds(runs, runtime, policy, seed, repeat, jobs, retry_inconclusive, given)
    verdicts = progress if as_json else output_console(plain=ci)
    live = progress.is_terminal and not ci
    terminal = Terminal(progress, verdicts, quiet=quiet, live=live)
    suite = play_experiments(loaded.experiments, loaded.spec, rounds, terminal)
    if as_json:
        click.echo(suite.model_dump_json(indent=2))
    return suite.exit_code
