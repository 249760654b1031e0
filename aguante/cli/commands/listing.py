"""``aguante list``: the experiments, and past runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic import ValidationError
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from aguante.cli.consoles import STYLE, output_console
from aguante.cli.options.experiment_files import expand, tag_option
from aguante.cli.options.testbed_option import find_testbed, testbed_option
from aguante.core.input_files import STDIN
from aguante.core.values import Value
from aguante.experiment import Experiment, InvalidExperiment, load_experiment
from aguante.testbed.own_files import as_argument, library_folder
from aguante.testbed.testbed_spec import TestbedSpec

if TYPE_CHECKING:
    from aguante.plan.plan import Plan

BESIDE_NAMES = 50
"""Characters that the other columns of a table need to be readable."""


class ListedExperiment(Value):
    """One file."""

    path: str
    """What ``aguante run`` is given: the path, or the name of one of Aguante's own."""
    name: str = ""
    title: str = ""
    policy: str = ""
    tags: tuple[str, ...] = ()
    length_s: float | None = None
    expected_verdict: str = ""
    findings: int = 0
    """Number of errors in the file; if above 0, the other fields are empty."""


class ListedRun(Value):
    """One run folder."""

    run_id: str
    experiment: str
    policy: str
    seed: int
    verdict: str
    """Empty: not judged (still in progress, or killed)."""
    headline: str = ""


@click.command("list")
@click.argument("places", nargs=-1, metavar="[EXPERIMENT...]", type=click.Path(path_type=Path))
@testbed_option
@tag_option
@click.option("--runs", "of_runs", is_flag=True, help="List past runs instead, latest first.")
@click.option(
    "--runs-folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="The folder that contains all runs.",
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
    """List the experiments with title, tags and policy; with --runs, the past runs.

    EXPERIMENT is a file, a folder or a quoted pattern; default: the folder chaos-experiments
    beside the testbed.yaml in use. Exit 3: not found.
    """
    console = output_console()
    if of_runs:
        found = listed_runs(runs_folder)
        _json(found) if as_json else print_runs(console, found)
        return 0
    spec = find_testbed(testbed)
    listed = [_experiment(path, spec) for path in _there(places or (library_folder(testbed),))]
    chosen = [each for each in listed if not tags or set(tags) & set(each.tags)]
    _json(chosen) if as_json else print_experiments(console, chosen)
    return 0


def _there(places: tuple[Path, ...]) -> tuple[Path, ...]:
    """The experiment files at these places.

    Raises:
        click.UsageError: one of them does not exist.
    """
    found = expand(places)
    missing = [str(path) for path in found if not (path.exists() or path == STDIN)]
    if missing:
        message = f"{', '.join(missing)}: not found; give a file, a folder or a quoted pattern"
        raise click.UsageError(message)
    return found


def listed_runs(runs: Path) -> list[ListedRun]:
    """Every run below a folder, latest first; unreadable ones are left out."""
    from aguante.plan.plan import Plan  # not needed for a list of experiments

    found = []
    for path in sorted(runs.glob("*/plan.json"), reverse=True):
        try:
            plan = Plan.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
        found.append(_run(path.parent, plan))
    return found


def _run(folder: Path, plan: "Plan") -> ListedRun:
    from aguante.verdict.verdict import Verdict

    word, headline = "", ""
    try:
        verdict = Verdict.model_validate_json((folder / "verdict.json").read_bytes())
        word, headline = verdict.verdict, verdict.headline
    except (OSError, ValidationError):
        pass  # not judged yet
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
        return ListedExperiment(path=as_argument(path), findings=len(error.findings))
    return ListedExperiment(
        path=as_argument(path),
        name=experiment.name,
        title=experiment.title,
        policy=experiment.policy,
        tags=experiment.tags,
        length_s=sum(length for _, length in experiment.phases.lengths()),
        expected_verdict=experiment.expected_verdict,
    )


def _json(found: Sequence[Value]) -> None:
    click.echo(f"[{', '.join(each.model_dump_json(indent=2) for each in found)}]")


def print_experiments(console: Console, found: Sequence[ListedExperiment]) -> None:
    """Print a table; an invalid file shows its number of findings instead of its title."""
    rows = [
        (
            each.path,
            f"[red]invalid: {_findings(each.findings)}[/] (see aguante validate)"
            if each.findings
            else escape(each.title),
            escape(each.policy),
            "" if each.length_s is None else f"{each.length_s:g} s",
            each.expected_verdict,
            escape(", ".join(each.tags)),
        )
        for each in found
    ]
    _print(console, ("file", "title", "policy", "length", "expected", "tags"), rows)


def _findings(count: int) -> str:
    return "1 finding" if count == 1 else f"{count} findings"


def print_runs(console: Console, found: Sequence[ListedRun]) -> None:
    """Print a table, in the given order."""
    rows = [
        (
            each.run_id,
            f"[{STYLE[each.verdict]}]{each.verdict}[/]" if each.verdict else "not judged",
            escape(each.experiment),
            escape(each.policy),
            str(each.seed),
        )
        for each in found
    ]
    _print(console, ("run", "verdict", "experiment", "policy", "seed"), rows)


def _print(console: Console, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Never wrap names, so that they can be copied; without room beside them, print the rest below."""
    if not rows:
        console.print("none found")
        return
    if console.width < max(len(name) for name, *_ in rows) + BESIDE_NAMES:
        for name, *cells in rows:
            console.print(escape(name), soft_wrap=True, highlight=False)
            below = Padding(", ".join(filter(None, cells)), (0, 0, 0, 4))
            console.print(below, highlight=False)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(heads[0], no_wrap=True)
    for head in heads[1:]:
        table.add_column(head, overflow="fold")
    for name, *cells in rows:
        table.add_row(escape(name), *cells)
    console.print(table)
