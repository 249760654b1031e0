"""``aguante list``: the experiments that are here, and the runs that were."""

from pathlib import Path

import click
from pydantic import ValidationError
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from aguante.commands.common import find_testbed, testbed_option
from aguante.commands.selecting import expand
from aguante.plan import Plan
from aguante.spec import Experiment, InvalidExperiment, load_experiment
from aguante.terminal import STYLE, verdict_console
from aguante.testbed import TestbedSpec
from aguante.values import Value
from aguante.verdict.model import Verdict


class ListedExperiment(Value):
    """One file."""

    path: str
    name: str = ""
    title: str = ""
    policy: str = ""
    tags: tuple[str, ...] = ()
    length_s: float | None = None
    expected_verdict: str = ""
    findings: int = 0
    """How many faults the file has; the rest is empty then."""


class ListedRun(Value):
    """One run folder."""

    run_id: str
    experiment: str
    policy: str
    seed: int
    verdict: str
    """Empty: it was not judged (it still goes on, or was killed)."""
    headline: str = ""


@click.command("list")
@click.argument("places", nargs=-1, metavar="[EXPERIMENT...]", type=click.Path(path_type=Path))
@testbed_option
@click.option(
    "--tag", "tags", multiple=True, help="Only experiments with this tag; may be given again."
)
@click.option("--runs", "of_runs", is_flag=True, help="List past runs instead, the latest first.")
@click.option(
    "--runs-folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Folder of the runs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_command(
    places: tuple[Path, ...],
    testbed: Path | None,
    tags: tuple[str, ...],
    of_runs: bool,
    runs_folder: Path,
    as_json: bool,
) -> int:
    """List the experiments with title, tags and policy; with --runs the runs that were played.

    EXPERIMENT is a file, a folder or a pattern in quotes; chaos-experiments by default.
    """
    console = verdict_console()
    if of_runs:
        found = listed_runs(runs_folder)
        _print(found, _runs_table(found), console, as_json=as_json)
        return 0
    spec = find_testbed(testbed)
    listed = [_experiment(path, spec) for path in expand(places or (Path("chaos-experiments"),))]
    chosen = [each for each in listed if not tags or set(tags) & set(each.tags)]
    _print(chosen, _experiments_table(chosen), console, as_json=as_json)
    return 0


def listed_runs(runs: Path) -> list[ListedRun]:
    """Every run below a folder, the latest first; what cannot be read is left out."""
    found = []
    for path in sorted(runs.glob("*/plan.json"), reverse=True):
        try:
            plan = Plan.model_validate_json(path.read_bytes())
        except ValidationError:
            continue
        found.append(_run(path.parent, plan))
    return found


def _run(folder: Path, plan: Plan) -> ListedRun:
    word, headline = "", ""
    try:
        verdict = Verdict.model_validate_json((folder / "verdict.json").read_bytes())
        word, headline = verdict.verdict, verdict.headline
    except (OSError, ValidationError):
        pass  # not judged yet: shown as such
    return ListedRun(
        run_id=folder.name,
        experiment=plan.experiment,
        policy=plan.policy,
        seed=plan.seed,
        verdict=word,
        headline=headline,
    )


def _experiment(path: Path, spec: TestbedSpec) -> ListedExperiment:
    try:
        experiment: Experiment = load_experiment(path, spec)
    except InvalidExperiment as error:
        return ListedExperiment(path=str(path), findings=len(error.findings))
    return ListedExperiment(
        path=str(path),
        name=experiment.name,
        title=experiment.title,
        policy=experiment.policy,
        tags=experiment.tags,
        length_s=sum(length for _, length in experiment.phases.lengths()),
        expected_verdict=experiment.expected_verdict,
    )


def _print(
    found: list[ListedExperiment] | list[ListedRun],
    table: Table,
    console: Console,
    *,
    as_json: bool,
) -> None:
    if as_json:
        click.echo(f"[{', '.join(each.model_dump_json(indent=2) for each in found)}]")
    elif found:
        console.print(table)
    else:
        console.print("nothing is there")


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _experiments_table(found: list[ListedExperiment]) -> Table:
    table = _table("file", "title", "policy", "length", "expected", "tags")
    for each in found:
        if each.findings:
            broken = f"[red]not valid: {each.findings} findings[/] (aguante validate)"
            table.add_row(escape(each.path), broken, "", "", "", "")
            continue
        table.add_row(
            escape(each.path),
            escape(each.title),
            escape(each.policy),
            f"{each.length_s:g} s",
            each.expected_verdict,
            escape(", ".join(each.tags)),
        )
    return table


def _runs_table(found: list[ListedRun]) -> Table:
    table = _table("run", "verdict", "experiment", "policy", "seed")
    for each in found:
        verdict = f"[{STYLE[each.verdict]}]{each.verdict}[/]" if each.verdict else "not judged"
        table.add_row(
            escape(each.run_id),
            verdict,
            escape(each.experiment),
            escape(each.policy),
            str(each.seed),
        )
    return table
