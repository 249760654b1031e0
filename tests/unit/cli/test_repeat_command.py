"""The command that a report prints to repeat its run: parsed by the command line, and checked as `run` checks it."""

import shlex
from pathlib import Path

import pytest
from shop import ROOT

from aguante.cli.commands.run import run_command
from aguante.cli.options.experiment_files import select
from aguante.cli.options.runtime_choice import chosen
from aguante.cli.options.testbed_option import check_policy, find_testbed
from aguante.experiment import load_experiment
from aguante.plan.plan import Plan
from aguante.run.single import SingleRun
from aguante.runtimes.chosen_runtime import NATIVE, ChosenRuntime

FOREIGN = Path("examples/two-services")
OWN = Path("chaos-experiments/payments-slow.yaml")
RUNS = Path("runs")


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def planned(
    file: Path,
    testbed: Path | None = None,
    sets: tuple[str, ...] = (),
    runtime: ChosenRuntime = NATIVE,
) -> Plan:
    """As ``aguante run`` plans it."""
    spec = find_testbed(testbed)
    experiment = load_experiment(file, spec, sets)
    return SingleRun(experiment, spec, str(file), RUNS, "default", 5, runtime).plan()


def planned_again(plan: Plan) -> Plan:
    """What the printed command would play; nothing is started."""
    program, command, *arguments = shlex.split(plan.command)
    assert (program, command) == ("aguante", "run")
    given = run_command.make_context("run", arguments).params
    testbed, sets, seed = given["testbed"], given["sets"], given["seed"]
    runtime = chosen(given["runtime_name"], given["attach"])
    loaded = select(given["experiments"], given["tags"], testbed, sets, runtime.name)
    assert loaded.invalid == 0
    check_policy(loaded.spec, given["policy"])
    ((file, experiment),) = loaded.experiments
    policy = given["policy"]
    return SingleRun(experiment, loaded.spec, str(file), RUNS, policy, seed, runtime).plan()


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(lambda: planned(OWN), id="ours"),
        pytest.param(
            lambda: planned(FOREIGN / "slow-stock.yaml", FOREIGN / "testbed.yaml"), id="foreign"
        ),
        pytest.param(
            lambda: planned(OWN, runtime=ChosenRuntime("attach", "my stack")), id="attached"
        ),
        pytest.param(lambda: planned(OWN, runtime=ChosenRuntime("attach")), id="the-only-one"),
        pytest.param(lambda: planned(OWN, runtime=ChosenRuntime("compose")), id="compose"),
        pytest.param(
            lambda: planned(OWN, sets=("load.rate_rps=30", "title=two words")), id="settings"
        ),
    ],
)
def test_the_printed_command_plays_the_same_plan(plan) -> None:
    """From the same folder it is valid, and plans the same: system, runtime, settings, policy, seed."""
    first = plan()
    again = planned_again(first)
    assert again.model_copy(update={"run_id": first.run_id}) == first


def test_a_plan_of_an_earlier_version_has_a_command_too() -> None:
    """Without the fields that it did not know."""
    told = planned(OWN).model_dump(mode="json", exclude={"testbed", "attach"})
    assert planned_again(Plan.model_validate(told)).source == str(OWN)


def test_a_testbed_file_does_not_say_where_it_is(tmp_path: Path) -> None:
    """`given:` in it changes nothing: the command line alone knows."""
    text = (
        (FOREIGN / "testbed.yaml").read_text().replace("links.yaml", f"{ROOT / FOREIGN}/links.yaml")
    )
    text = text.replace(": policies", f": {ROOT / FOREIGN}/policies")
    text = text.replace("load.py", f"{ROOT / FOREIGN}/load.py")
    (tmp_path / "testbed.yaml").write_text(text + "given: elsewhere\n")
    assert find_testbed(tmp_path / "testbed.yaml").given == str(tmp_path / "testbed.yaml")
