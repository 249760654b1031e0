"""``aguante load``: generate load without faults, and check it against thresholds."""

from pathlib import Path

import click
from rich.console import Console

from aguante.cli.consoles import ProgressConsole, output_console
from aguante.cli.exit_code import ExitCode
from aguante.cli.options.completion_names import policies
from aguante.cli.options.duration import Duration
from aguante.cli.options.experiment_files import Loaded, select
from aguante.cli.options.regular_file import INPUT_FILE, content_of
from aguante.cli.options.runs_option import runs_option
from aguante.cli.options.runtime_choice import attach_option, chosen, runtime_option
from aguante.cli.options.testbed_option import check_policy, find_testbed, testbed_option
from aguante.cli.play_single import play_single
from aguante.cli.prepare_run import prepare
from aguante.cli.render.run_text import Terminal
from aguante.experiment.load_test import ACHIEVED, LoadTest
from aguante.load_protocol.rates import Shape
from aguante.measure.audit.ledger_csv import write_csv
from aguante.run.single import SingleRun
from aguante.run_folder.folder import RunFolder
from aguante.runtimes.chosen_runtime import RuntimeName


@click.command("load")
@click.option(
    "--profile", default="mixed", show_default=True, help="Shape of the load; see docs/load.md."
)
@click.option(
    "--rate",
    "rate_rps",
    type=float,
    default=60.0,
    show_default=True,
    metavar="RPS",
    help="Requests per second; for ramp, step and spike: the initial rate.",
)
@click.option(
    "--duration",
    "duration_s",
    type=Duration(),
    default="30s",
    show_default=True,
    help="Measured time after the warm-up.",
)
@click.option(
    "--warmup",
    "warmup_s",
    type=Duration(),
    default="2s",
    show_default=True,
    help="Time before the measurement.",
)
@click.option(
    "--to", "to_rps", type=float, metavar="RPS", help="ramp, step, spike: the second rate."
)
@click.option("--steps", type=int, metavar="N", help="step: number of levels.")
@click.option("--at", "at_s", type=Duration(), help="spike: start of the spike.")
@click.option("--for", "for_s", type=Duration(), help="spike: length of the spike.")
@click.option(
    "--racers", type=int, metavar="N", help="race: number of simultaneous requests for one seat."
)
@click.option(
    "--mix",
    "mix",
    multiple=True,
    metavar="OPERATION=SHARE",
    help="Repeatable; shares must sum to 1. Default: reserve=0.75, read_event=0.25; race: reserve.",
)
@click.option(
    "--arrivals",
    type=click.Choice(("fixed", "poisson")),
    default="poisson",
    show_default=True,
    help="fixed: equally spaced; poisson: random.",
)
@click.option(
    "--workers", type=int, default=1, show_default=True, help="Processes that generate load."
)
@click.option(
    "--users",
    type=int,
    default=0,
    help="Use a closed loop with this many users instead of an open loop.",
)
@click.option(
    "--expect",
    "thresholds",
    type=INPUT_FILE,
    help="YAML file with `expect:` as in an experiment; default: at least 99 % of the load was achieved.",
)
@click.option(
    "--policy",
    default="default",
    show_default=True,
    shell_complete=policies,
    help="The resilience policy.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed of all random values.")
@testbed_option
@runtime_option
@attach_option
@runs_option
@click.option("--json", "as_json", is_flag=True, help="Print only the result, as JSON.")
@click.option("--quiet", is_flag=True, help="Print only the verdict, no progress.")
@click.option("--ci", is_flag=True, help="Plain lines: no colours, nothing redrawn.")
def load_command(  # noqa: PLR0913 - an argument for each option
    profile: str,
    rate_rps: float,
    duration_s: float,
    warmup_s: float,
    to_rps: float | None,
    steps: int | None,
    at_s: float | None,
    for_s: float | None,
    racers: int | None,
    mix: tuple[str, ...],
    arrivals: str,
    workers: int,
    users: int,
    thresholds: Path | None,
    policy: str,
    seed: int | None,
    testbed: Path | None,
    runtime_name: RuntimeName | None,
    attach: str | None,
    runs: Path,
    as_json: bool,
    quiet: bool,
    ci: bool,
) -> int:
    """Generate load without faults, audit the databases, and check the result against thresholds.

    \b
      aguante load --rate 60 --duration 30
      aguante load --attach ID --profile ramp --rate 20 --to 200 --workers 2
      aguante load --profile race --racers 50 --rate 100 --duration 10

    Starts its own testbed, or uses a running one (--attach). A 409, 429, 503 or 504 is not a failure by itself: the
    thresholds define the acceptable share of each. The run folder contains verdict.json, report.html, junit.xml,
    requests.csv and summary.csv. The exit code is that of the verdict.
    """
    asked = LoadTest(
        profile=profile,
        rate_rps=rate_rps,
        duration_s=duration_s,
        warmup_s=warmup_s,
        shape=Shape(to_rps=to_rps, steps=steps, at_s=at_s, for_s=for_s, racers=racers),
        mix=_shares(mix, profile),
        arrivals=arrivals,
        workers=workers,
        users=users,
        policy=policy,
        thresholds=_text(thresholds) if thresholds else ACHIEVED,
    )
    runtime = chosen(runtime_name, attach)
    check_policy(find_testbed(testbed), policy)
    loaded = _loaded(asked, runs, testbed)
    if loaded.invalid:
        return ExitCode.INVALID
    progress = ProgressConsole(plain=ci)
    if not prepare(runs, loaded.spec, runtime.name, progress):
        return ExitCode.TESTBED
    verdicts = progress if as_json else output_console(plain=ci)
    live = progress.is_terminal and not ci
    ((path, experiment),) = loaded.experiments
    wanted = SingleRun(experiment, loaded.spec, str(path), runs, policy, seed, runtime)
    result = play_single(wanted, Terminal(progress, verdicts, quiet=quiet, live=live))
    _write_csv(RunFolder(runs / result.run_id), verdicts)
    if as_json:
        click.echo(result.model_dump_json(indent=2))
    return result.exit_code


def _shares(given: tuple[str, ...], profile: str) -> dict[str, float]:
    """Parse ``reserve=0.75``, once per operation; the experiment loader checks names and shares.

    Raises:
        click.UsageError: wrong syntax, or an operation is repeated.
    """
    if not given:
        return {"reserve": 1.0} if profile == "race" else {"reserve": 0.75, "read_event": 0.25}
    shares: dict[str, float] = {}
    for each in given:
        name, _, share = each.partition("=")
        if name in shares:
            message = f"--mix {each}: {name} is given twice; give each operation one share"
            raise click.UsageError(message)
        try:
            shares[name] = float(share)
        except ValueError as why:
            message = f"--mix {each}: expected OPERATION=SHARE, such as reserve=0.75"
            raise click.UsageError(message) from why
    return shares


def _text(thresholds: Path) -> str:
    """Read a file of thresholds.

    Raises:
        click.UsageError: it cannot be read, or is not text.
    """
    try:
        return content_of(thresholds).decode()
    except UnicodeDecodeError as why:
        message = f"--expect {thresholds}: {why}; expected a YAML file with `expect:`"
        raise click.UsageError(message) from why


def _loaded(asked: LoadTest, runs: Path, testbed: Path | None) -> Loaded:
    """Write the experiment file of the load test and load it; an invalid one is deleted again.

    Raises:
        click.ClickException: it cannot be written.
    """
    known = asked.path(runs).exists()
    try:
        path = asked.write(runs)
    except OSError as why:
        message = f"--runs {runs}: {why}; give a writable folder"
        raise click.ClickException(message) from why
    loaded = select((path,), (), testbed)
    if loaded.invalid and not known:
        path.unlink()
    return loaded


def _write_csv(folder: RunFolder, console: Console) -> None:
    if folder.records.exists():
        requests, summary = write_csv(folder.records, folder.root)
        console.print(f"csv: {requests} {summary}", highlight=False, markup=False, soft_wrap=True)
