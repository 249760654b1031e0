"""``aguante saturate``: the offered load at which goodput stops following, under one policy or several."""

import secrets
from datetime import UTC, datetime
from pathlib import Path

import click

from aguante.cli.options.arguments import (
    check_policy,
    command_line,
    find_testbed,
    testbed_option,
)
from aguante.cli.options.run_folders import runs_option
from aguante.cli.options.runtime_choice import own_runtime_option
from aguante.cli.options.stop_signals import run_with_stop
from aguante.measure.saturation_levels import Level, Saturation, Sweep, words
from aguante.report.saturation_page import level_line, write_saturation
from aguante.runtimes.chosen_runtime import ChosenRuntime, RuntimeName
from aguante.suite.saturation_sweep import Search, search_saturation
from aguante.testbed.testbed_spec import TestbedSpec

INCONCLUSIVE, TESTBED = 2, 4
"""Exit codes, as of every command."""
MIX = (("reserve", 0.75), ("read_event", 0.25))
POSITIVE = click.FloatRange(min=0, min_open=True, max=10_000)


@click.command("saturate")
@click.option(
    "--policies",
    default="default,no-semaphore",
    show_default=True,
    metavar="A,B",
    help="Each is swept on a testbed of its own.",
)
@click.option("--from", "from_rps", type=POSITIVE, default=25.0, show_default=True, help="rps.")
@click.option("--to", "to_rps", type=POSITIVE, default=400.0, show_default=True, help="rps.")
@click.option("--step", "step_rps", type=POSITIVE, default=25.0, show_default=True, help="rps.")
@click.option(
    "--hold",
    "hold_s",
    type=click.FloatRange(min=3, max=600),
    default=10.0,
    show_default=True,
    help="Seconds at each level; longer than the system's deadline, or a collapse is not seen.",
)
@click.option(
    "--settle-in",
    "settle_in_s",
    type=click.FloatRange(min=0, max=60),
    default=2.0,
    show_default=True,
    help="Seconds of it that are not judged.",
)
@click.option(
    "--beyond",
    type=click.IntRange(1, 20),
    default=3,
    show_default=True,
    help="Levels in a row without following, after which a sweep ends.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that send.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=1, help="Of the arrivals.")
@testbed_option
@own_runtime_option
@runs_option
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
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
    """Raise the offered load in steps until goodput stops following, and show the knee.

    By default with and without the semaphore: what it is worth is what is left of goodput beyond the knee.
    Writes saturation.html and saturation.json below the runs folder.

    Exit 0: a knee was found under every policy; 2: under one none was reached, or the search was stopped;
    3: wrong usage; 4: the testbed or the load generator failed. What was played until then is kept and shown.
    """
    spec, names = find_testbed(testbed), [name.strip() for name in policies.split(",")]
    for name in names:
        check_policy(spec, name)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        message = f"--policies {policies}: {', '.join(twice)} is there twice; each is swept once"
        raise click.UsageError(message)
    if settle_in_s >= hold_s or from_rps > to_rps:
        message = "--settle-in must be shorter than --hold, and --from not above --to"
        raise click.UsageError(message)
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
    sweeps = run_with_stop(
        lambda stop: search_saturation(search, spec, make_runtime, stop, _show_level)
    )
    failed = [f"error: {each.policy}: {each.cut_short}" for each in sweeps if each.cut_short]
    for line in failed:
        click.echo(line, err=True)
    found = _found(search, spec, tuple(each for each in sweeps if each.levels), started)
    try:
        code = _tell(found, search.folder, len(names), as_json=as_json)
    except OSError as error:
        click.echo(f"error: {error}", err=True)
        return TESTBED
    return TESTBED if failed else code


def _show_level(policy: str, level: Level) -> None:
    click.echo(level_line(policy, level), err=True)


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


def _tell(found: Saturation, folder: Path, asked: int, *, as_json: bool) -> int:
    """Write the page, say what was found, and the exit code."""
    if not found.sweeps:
        click.echo("no level was played to its end", err=True)
        return INCONCLUSIVE
    page = write_saturation(found, folder)
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        for each in found.sweeps:
            click.echo(f"{each.policy}: {words(each)}")
        click.echo(f"page: {page}")
    whole = len(found.sweeps) == asked and all(each.reached for each in found.sweeps)
    return 0 if whole else INCONCLUSIVE
