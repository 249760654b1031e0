"""``aguante saturate``: find the offered load at which goodput stops growing, under one or more policies."""

import secrets
from datetime import UTC, datetime
from pathlib import Path

import click

from aguante.cli.diagnose.process_limits import require_process_limits
from aguante.cli.exit_code import ExitCode
from aguante.cli.options.command_line import command_line
from aguante.cli.options.duration import Duration
from aguante.cli.options.runs_option import runs_option
from aguante.cli.options.runtime_choice import own_runtime_option
from aguante.cli.options.stop_signals import run_with_stop
from aguante.cli.options.testbed_option import check_policy, find_testbed, testbed_option
from aguante.core.durations import about
from aguante.measure.saturation_levels import Level, Saturation, Sweep, words
from aguante.report.saturation_page import level_line, write_saturation
from aguante.runtimes.chosen_runtime import ChosenRuntime, RuntimeName
from aguante.suite.saturation_sweep import Search, search_saturation
from aguante.testbed.testbed_spec import TestbedSpec

MIX = (("reserve", 0.75), ("read_event", 0.25))
LEVEL_OVERHEAD_S = 3.0
"""Preparing a level, outstanding responses, and the pause after it."""
POSITIVE = click.FloatRange(min=0, min_open=True, max=10_000)


@click.command("saturate")
@click.option(
    "--policies",
    default="default,no-semaphore",
    show_default=True,
    metavar="A,B",
    help="The policies to compare, each on its own testbed.",
)
@click.option("--from", "from_rps", type=POSITIVE, default=25.0, show_default=True, help="rps.")
@click.option("--to", "to_rps", type=POSITIVE, default=400.0, show_default=True, help="rps.")
@click.option("--step", "step_rps", type=POSITIVE, default=25.0, show_default=True, help="rps.")
@click.option(
    "--hold",
    "hold_s",
    type=Duration(3, 600),
    default="10s",
    show_default=True,
    help="Time at each level; must exceed the deadline of the system, or a collapse stays hidden.",
)
@click.option(
    "--settle-in",
    "settle_in_s",
    type=Duration(0, 60),
    default="2s",
    show_default=True,
    help="Time at the start of each level that is not measured.",
)
@click.option(
    "--beyond",
    type=click.IntRange(1, 20),
    default=3,
    show_default=True,
    help="Stop after this many consecutive saturated levels.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that generate load.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=1, help="Seed of the arrival times."
)
@testbed_option
@own_runtime_option
@runs_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def saturate_command(  # noqa: PLR0913 - an argument for each option
    policies: str,
    from_rps: float,
    to_rps: float,
    step_rps: float,
    hold_s: float,
    settle_in_s: float,
    beyond: int,
    workers: int,
    seed: int,
    testbed: Path | None,
    runtime_name: RuntimeName | None,
    runs: Path,
    as_json: bool,
) -> int:
    """Raise the offered load in steps until goodput stops growing with it, and show that point, the knee.

    The default compares the system with and without the semaphore: its benefit is the goodput that remains beyond
    the knee. Writes saturation.html and saturation.json below the runs folder.

    Exit 0: a knee was found under every policy; 2: a policy has no knee in this range, or the search was stopped;
    3: wrong usage; 4: the testbed or the load generator failed. Levels that were completed are kept and shown.
    """
    spec, names = find_testbed(testbed), [name.strip() for name in policies.split(",")]
    for name in names:
        check_policy(spec, name)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        message = f"--policies {policies}: {', '.join(twice)} is given twice; give each policy once"
        raise click.UsageError(message)
    if settle_in_s >= hold_s or from_rps > to_rps:
        message = "--settle-in must be shorter than --hold, and --from must not exceed --to"
        raise click.UsageError(message)
    require_process_limits(runtime_name or "native", spec)
    started = datetime.now(UTC)
    run_id = f"saturate-{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    count = int((to_rps - from_rps) / step_rps + 1e-9) + 1
    search = Search(
        policies=tuple(names),
        rates_rps=tuple(from_rps + n * step_rps for n in range(count)),
        hold_s=hold_s,
        settle_in_s=settle_in_s,
        beyond=beyond,
        mix=MIX,
        seed=seed,
        workers=workers,
        run_id=run_id,
        folder=runs / run_id,
    )
    make_runtime = ChosenRuntime(runtime_name or "native").make
    progress = SearchProgress(search)
    sweeps = run_with_stop(
        lambda stop: search_saturation(search, spec, make_runtime, stop, progress.report)
    )
    failed = [f"error: {each.policy}: {each.cut_short}" for each in sweeps if each.cut_short]
    for line in failed:
        click.echo(line, err=True)
    found = _found(search, spec, tuple(each for each in sweeps if each.levels), started)
    try:
        code = _report(found, search.folder, len(names), as_json=as_json)
    except OSError as error:
        click.echo(f"error: {error}", err=True)
        return ExitCode.TESTBED
    return ExitCode.TESTBED if failed else code


class SearchProgress:
    """Prints a line for each level, with the time that is left at most."""

    def __init__(self, search: Search) -> None:
        self._search = search

    def report(self, policy: str, level: Level) -> None:
        """Print a line."""
        click.echo(f"{level_line(policy, level)}  ({self.time_left(policy, level)})", err=True)

    def time_left(self, policy: str, level: Level) -> str:
        """As if every level that is left had to be played."""
        search = self._search
        others = len(search.policies) - 1 - search.policies.index(policy)
        higher = sum(rate > level.target_rps for rate in search.rates_rps)
        levels = others * len(search.rates_rps) + higher
        return f"at most {about(levels * (search.hold_s + LEVEL_OVERHEAD_S))} left"


def _found(
    search: Search, spec: TestbedSpec, sweeps: tuple[Sweep, ...], started: datetime
) -> Saturation:
    return Saturation(
        id=search.run_id,
        testbed=spec.name,
        command=command_line(),
        started_at=started.isoformat(timespec="seconds"),
        hold_s=search.hold_s,
        settle_in_s=search.settle_in_s,
        mix=search.mix,
        seed=search.seed,
        sweeps=sweeps,
    )


def _report(found: Saturation, folder: Path, asked: int, *, as_json: bool) -> int:
    """Write the page and print the result; returns the exit code."""
    if not found.sweeps:
        click.echo("no level was completed", err=True)
        return ExitCode.INCONCLUSIVE
    page = write_saturation(found, folder)
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        for each in found.sweeps:
            click.echo(f"{each.policy}: {words(each)}")
        click.echo(f"page: {page}")
    whole = len(found.sweeps) == asked and all(each.reached for each in found.sweeps)
    return ExitCode.OK if whole else ExitCode.INCONCLUSIVE
