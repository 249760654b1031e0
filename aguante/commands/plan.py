"""``aguante plan``: the dry run, as a time line in text."""

from pathlib import Path

import click

from aguante.commands.common import experiment_argument, load_all, set_option, testbed_option
from aguante.commands.playing import check_policy
from aguante.planner import build_plan
from aguante.policies import timeouts_s
from aguante.preview import preview
from aguante.spec import Experiment
from aguante.testbed import TestbedSpec


@click.command("plan")
@experiment_argument
@testbed_option
@set_option
@click.option("--policy", help="Plan with this policy instead of the experiment's own.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON (seed 0).")
def plan_command(
    experiments: tuple[Path, ...],
    testbed: Path | None,
    sets: tuple[str, ...],
    policy: str | None,
    as_json: bool,
) -> int:
    """Show what `aguante run` would do with EXPERIMENT files: phases, faults, load and claims by time.

    Starts nothing, and draws no seed. Exit 0: all files are valid; 3: at least one is not.
    """
    loaded = load_all(experiments, testbed, sets)
    check_policy(loaded.spec, policy)
    for path, experiment in loaded.experiments:
        chosen = experiment.model_copy(update={"policy": policy or experiment.policy})
        click.echo(_shown(path, chosen, loaded.spec, as_json=as_json))
    return 3 if loaded.invalid else 0


def _shown(path: Path, experiment: Experiment, spec: TestbedSpec, *, as_json: bool) -> str:
    plan = build_plan(experiment, spec, run_id="plan", seed=0, source=str(path))
    if as_json:
        return plan.model_dump_json(indent=2)
    limits_s = timeouts_s(spec.policies / f"{plan.policy}.yaml")
    return preview(plan, experiment, limits_s, spec.settle.within_s) + "\n"
