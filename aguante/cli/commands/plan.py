"""``aguante plan``: a dry run, as a timeline in text."""

from pathlib import Path

import click

from aguante.cli.exit_code import ExitCode
from aguante.cli.options.completion_names import policies
from aguante.cli.options.experiment_files import experiment_argument, select, set_option, tag_option
from aguante.cli.options.runtime_choice import runtime_option
from aguante.cli.options.testbed_option import check_policy, testbed_option
from aguante.cli.render.plan_text import preview
from aguante.plan.build import build_plan
from aguante.plan.plan import Plan
from aguante.runtimes.chosen_runtime import RuntimeName
from aguante.testbed.policy_file import timeouts_s
from aguante.testbed.testbed_spec import TestbedSpec


@click.command("plan")
@experiment_argument
@testbed_option
@set_option
@tag_option
@click.option(
    "--policy",
    shell_complete=policies,
    help="Use this policy instead of the one of the experiment.",
)
@runtime_option
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the plan as JSON (with seed 0); a list if there are several experiments.",
)
def plan_command(  # noqa: PLR0913 - an argument for each option
    experiments: tuple[Path, ...],
    testbed: Path | None,
    sets: tuple[str, ...],
    tags: tuple[str, ...],
    policy: str | None,
    runtime_name: RuntimeName | None,
    as_json: bool,
) -> int:
    """Show what `aguante run` would do with EXPERIMENT: phases, faults, load and expectations over time.

    EXPERIMENT is a file, a folder (all its YAML files), a quoted pattern, a name from the library (see `aguante list`),
    or - for standard input. Nothing is started. With --runtime, faults that the runtime cannot inject are rejected.

    Exit 0: all files are valid; 3: at least one is invalid.
    """
    loaded = select(experiments, tags, testbed, sets, runtime_name or "")
    check_policy(loaded.spec, policy)
    plans: list[Plan] = []
    for path, experiment in loaded.experiments:
        chosen = experiment.model_copy(update={"policy": policy or experiment.policy})
        plan = build_plan(
            chosen,
            loaded.spec,
            run_id="plan",
            seed=0,
            source=str(path),
            runtime=runtime_name or "native",
        )
        plans.append(plan)
        if not as_json:
            click.echo(_timeline(plan, loaded.spec))
    if as_json:
        click.echo(_json(plans))
    return ExitCode.INVALID if loaded.invalid else ExitCode.OK


def _timeline(plan: Plan, spec: TestbedSpec) -> str:
    limits_s = timeouts_s(spec.policy_file(plan.policy))
    return preview(plan, limits_s, spec.settle.within_s) + "\n"


def _json(plans: list[Plan]) -> str:
    texts = [plan.model_dump_json(indent=2) for plan in plans]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
