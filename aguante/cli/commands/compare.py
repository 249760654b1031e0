"""``aguante compare`` and ``aguante ablate``: the effect of a policy, or of any other difference."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
from pydantic import ValidationError

from aguante.cli.consoles import ProgressConsole
from aguante.cli.exit_code import ExitCode
from aguante.cli.options.child_options import jobs_option, passed_on, retry_option
from aguante.cli.options.command_line import command_line
from aguante.cli.options.experiment_files import select, set_option
from aguante.cli.options.run_folders import or_usage, run_folder
from aguante.cli.options.runs_option import runs_option
from aguante.cli.options.runtime_choice import chosen, own_runtime_option
from aguante.cli.options.testbed_option import check_policy, testbed_option
from aguante.cli.play_suite import play_suite
from aguante.cli.prepare_run import prepare
from aguante.report.comparison_page import comparison_text, difference, interval, write_comparison
from aguante.report.differences import Comparison, compare
from aguante.report.stored_run import read_judged
from aguante.runtimes.chosen_runtime import ChosenRuntime, RuntimeName
from aguante.suite.many_runs import Entry, interleave
from aguante.suite.suite_runner import SuiteSettings
from aguante.testbed.runtime import TestbedError
from aguante.verdict.suite_result import Suite
from aguante.verdict.verdict import Verdict

pairs_option = click.option(
    "--pairs",
    type=click.IntRange(1, 200),
    default=5,
    show_default=True,
    metavar="N",
    help="Number of pairs; 5 or more give confidence intervals.",
)


@click.command("compare")
@click.argument("given", nargs=-1, required=True, metavar="A B | EXPERIMENT")
@click.option("--policies", metavar="A,B", help="Run EXPERIMENT under both, in interleaved pairs.")
@pairs_option
@testbed_option
@own_runtime_option
@set_option
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), help="Seed of the first pair; each pair adds 1."
)
@jobs_option
@retry_option
@runs_option
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compare_command(  # noqa: PLR0913 - an argument for each option
    given: tuple[str, ...],
    policies: str | None,
    pairs: int,
    testbed: Path | None,
    runtime_name: RuntimeName | None,
    sets: tuple[str, ...],
    seed: int | None,
    jobs: int,
    retry_inconclusive: int,
    runs: Path,
    as_json: bool,
) -> int:
    """Compare two runs (or suites) A and B, or run EXPERIMENT under two policies in N pairs.

    \b
      aguante compare RUN_A RUN_B
      aguante compare --policies default,no-breaker chaos-experiments/payments-slow.yaml --pairs 5

    Shows rates by cause, goodput, latency and recovery on both sides, and the difference B - A. With 5 or more
    runs on each side it adds 95 % bootstrap intervals over runs; with fewer, the variation between runs is not
    known. Comparing a policy with itself (default,default) shows how much runs differ by chance.
    Pairs are interleaved (A B, B A, ...) and share their seed. Writes compare.html, compare.txt and
    compare.json.

    Exit 0: compared, whatever the verdicts; 2: in one of the runs the fault had no observed effect;
    2 or 4: a run has no verdict; 3: wrong usage; 4: a fault left behind by a killed run cannot be undone.
    """
    if policies is None:
        return _compare_runs(given, runs, as_json=as_json)
    names = tuple(name.strip() for name in policies.split(","))
    if len(names) != 2 or len(given) != 1:
        message = "--policies expects two names, such as default,no-breaker, and one EXPERIMENT"
        raise click.UsageError(message)
    seed = secrets.randbelow(2**31) if seed is None else seed
    runtime = chosen(runtime_name, None)
    how = _Rounds(pairs, seed, jobs, retry_inconclusive, runs, runtime)
    played = _play(Path(given[0]), names, how, testbed, sets)
    if played is None:
        return ExitCode.INVALID
    suite, folder = played
    sides = [_side_of(suite, entry, runs) for entry in range(len(names))]
    if len(sides[0]) != pairs or len(sides[1]) != pairs:
        click.echo(
            f"incomplete: {len(sides[0])} and {len(sides[1])} of {pairs} runs have a verdict",
            err=True,
        )
        failed = any(run.exit_code >= ExitCode.INVALID for run in suite.runs)
        return ExitCode.TESTBED if failed else ExitCode.INCONCLUSIVE
    labels = names if names[0] != names[1] else (f"{names[0]} (A)", f"{names[1]} (B)")
    found = compare(labels[0], sides[0], labels[1], sides[1], paired=True)
    page = write_comparison(found, sides[0], sides[1], folder, "..")
    _show(found, page, as_json=as_json)
    return ExitCode.INCONCLUSIVE if found.unobserved else ExitCode.OK


def _show(found: Comparison, page: Path, *, as_json: bool) -> None:
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        click.echo(comparison_text(found))
        click.echo(f"\npage: {page}")


def _compare_runs(given: Sequence[str], runs: Path, *, as_json: bool) -> int:
    if len(given) != 2:
        message = "give two runs, or --policies A,B and one EXPERIMENT"
        raise click.UsageError(message)
    folders = [run_folder(name, runs) for name in given]
    a, b = (_verdicts_in(folder) for folder in folders)
    labels = _labels(folders, a, b)
    found = compare(labels[0], a, labels[1], b, paired=False)
    name = f"compare-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    page = write_comparison(found, a, b, runs / name, "..")
    _show(found, page, as_json=as_json)
    return 0


def _labels(folders: Sequence[Path], a: Sequence[Verdict], b: Sequence[Verdict]) -> tuple[str, str]:
    """The policies, if they distinguish the sides; else the names of the folders."""
    policies = [{v.policy for v in side} for side in (a, b)]
    if all(len(each) == 1 for each in policies) and policies[0] != policies[1]:
        return policies[0].pop(), policies[1].pop()
    return folders[0].name, folders[1].name


def _verdicts_in(folder: Path) -> list[Verdict]:
    """The verdict of a run, or the verdicts of a suite."""
    if not (folder / "suite.json").exists():
        return [or_usage(read_judged, folder).verdict]
    suite = Suite.model_validate_json((folder / "suite.json").read_bytes())
    found = _verdicts(suite, folder.parent)
    if not found:
        message = f"{folder}: none of its runs has a verdict"
        raise click.UsageError(message)
    return found


def _verdicts(suite: Suite, runs: Path) -> list[Verdict]:
    """The verdicts of a suite, by round; runs without one are left out."""
    found = []
    for run in sorted(suite.runs, key=lambda each: each.repeat):
        try:
            text = (runs / run.run_id / "verdict.json").read_bytes()
            found.append(Verdict.model_validate_json(text))
        except (OSError, ValidationError):
            continue
    return found


def _side_of(suite: Suite, entry: int, runs: Path) -> list[Verdict]:
    """The verdicts of one entry. Selected by position, since in an A/A comparison both have the same policy."""
    own = tuple(run for run in suite.runs if run.entry == entry)
    return _verdicts(suite.model_copy(update={"runs": own}), runs)


@dataclass(frozen=True)
class _Rounds:
    """How the runs are played."""

    rounds: int
    seed: int
    jobs: int
    retries: int
    runs: Path
    runtime: ChosenRuntime


def _play(
    path: Path,
    policies: Sequence[str],
    how: _Rounds,
    testbed: Path | None,
    sets: tuple[str, ...],
) -> tuple[Suite, Path] | None:
    """Run one experiment under each policy, interleaved; None: the file is invalid.

    Raises:
        click.UsageError: an unknown policy, or not exactly one experiment.
        TestbedError: a fault that was left behind cannot be undone.
    """
    loaded = select((path,), (), testbed, sets, how.runtime.name, keep_in=how.runs)
    if loaded.invalid:
        return None
    if len(loaded.experiments) != 1:
        message = f"{path}: found {len(loaded.experiments)} experiments, expected one file"
        raise click.UsageError(message)
    for policy in policies:
        check_policy(loaded.spec, policy)
    console = ProgressConsole()
    if not prepare(how.runs, loaded.spec, how.runtime.name, console):
        message = "a fault left behind by a killed run cannot be undone: see `aguante recover`"
        raise TestbedError(message)
    ((file, experiment),) = loaded.experiments
    entries = [Entry.of(file, experiment, loaded.spec, each) for each in policies]
    given = passed_on(testbed, how.runs, sets, how.runtime)
    settings = SuiteSettings(how.runs, how.jobs, how.retries, given, command_line())
    return play_suite(interleave(entries, how.rounds, how.seed), settings, console)


@click.command("ablate")
@click.argument("experiment", type=click.Path(path_type=Path))
@click.option(
    "--policies", metavar="A,B,...", help="The policies to compare; default: all except the base."
)
@click.option(
    "--base", default="default", show_default=True, help="The policy that each is compared with."
)
@pairs_option
@testbed_option
@own_runtime_option
@set_option
@jobs_option
@retry_option
@runs_option
def ablate_command(  # noqa: PLR0913 - an argument for each option
    experiment: Path,
    policies: str | None,
    base: str,
    pairs: int,
    testbed: Path | None,
    runtime_name: RuntimeName | None,
    sets: tuple[str, ...],
    jobs: int,
    retry_inconclusive: int,
    runs: Path,
) -> int:
    """Run EXPERIMENT under every policy, in N interleaved rounds, and show what each pattern contributes.

    Prints one line per policy: its verdicts, and the difference from the base in the fault phase. Plays one run
    per policy and round. The full comparison of each policy is written beside the overview. Exit codes as for
    `aguante compare`.
    """
    runtime, seed = chosen(runtime_name, None), secrets.randbelow(2**31)
    loaded = select((experiment,), (), testbed, sets, runtime.name, keep_in=runs)
    if loaded.invalid:
        return ExitCode.INVALID
    if len(loaded.experiments) == 1:
        experiment = loaded.experiments[0][0]  # standard input was stored in a file
    known = loaded.spec.policy_names
    names = tuple(policies.split(",")) if policies else tuple(n for n in known if n != base)
    how = _Rounds(pairs, seed, jobs, retry_inconclusive, runs, runtime)
    played = _play(experiment, (base, *names), how, testbed, sets)
    if played is None:
        return ExitCode.INVALID
    suite, folder = played
    against = _side_of(suite, 0, runs)
    incomplete = len(against) != pairs
    for entry, name in enumerate(names if not incomplete else (), start=1):
        side = _side_of(suite, entry, runs)
        if len(side) != pairs:
            click.echo(f"{name}: {len(side)} of {pairs} runs have a verdict; not compared")
            incomplete = True
            continue
        found = compare(base, against, name, side, paired=True)
        write_comparison(found, against, side, folder / f"compare-{name}", "../..")
        click.echo(_worth(name, found))
    click.echo(f"overview: {folder / 'overview.html'}")
    return ExitCode.INCONCLUSIVE if incomplete else ExitCode.OK


def _worth(name: str, found: Comparison) -> str:
    """The line of one policy: its verdicts, and how goodput, success and recovery differ from the base."""
    wanted = (("fault", "goodput"), ("fault", "200"), ("run", "recovery after the last fault"))
    parts = [
        f"{row.group if row.group != 'run' else ''} {row.what} {difference(row.unit, row.difference)}".strip()
        + (f" ({interval(row)})" if row.low is not None else "")
        for row in found.rows
        if (row.group, row.what) in wanted
    ]
    words = ", ".join(f"{found.b.verdicts.count(w)} {w}" for w in dict.fromkeys(found.b.verdicts))
    return f"{name}: {words}; {'; '.join(parts)}"
