"""A run freezes what was validated, whatever happens to the file afterwards."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from shop import ROOT

from aguante.experiment import load_experiment
from aguante.plan.plan import Plan
from aguante.run.progress import QuietProgress
from aguante.run.single import RunEnd, SingleRun, run_single
from aguante.run_folder.folder import RunFolder
from aguante.runtimes.chosen_runtime import ChosenRuntime
from aguante.testbed.runtime import Alive, Testbed, TestbedError
from aguante.testbed.testbed_spec import TestbedSpec

SLOW = ROOT / "tests" / "unit" / "payments-slow.yaml"


class NeverUp:
    """A runtime that cannot be started: a run ends after its folder was frozen."""

    control = docker = None

    async def up(self, *_: object) -> Testbed:
        message = "no testbed here"
        raise TestbedError(message)

    def parts(self) -> Mapping[str, Alive]:
        return {}

    async def save_logs(self, target: Path) -> None:
        raise NotImplementedError

    async def down(self) -> None:
        pass


class Never(ChosenRuntime):
    def make(self, wanted: tuple[str, ...] = (), samples: Path | None = None) -> NeverUp:
        return NeverUp()


def test_an_edit_after_validation_changes_nothing(tmp_path: Path, shop: TestbedSpec) -> None:
    """The run folder holds the file and the plan as they were validated, byte for byte."""
    file = tmp_path / "slow.yaml"
    validated = SLOW.read_bytes()
    file.write_bytes(validated)
    experiment = load_experiment(file, shop)
    file.write_text("name: something-else\n")

    wanted = SingleRun(
        experiment, shop, str(file), tmp_path / "runs", "default", 7, Never("native")
    )
    ended: list[RunEnd] = []
    running = run_single(wanted, QuietProgress(), asyncio.Event(), ended=ended.append)
    result = asyncio.run(running)

    assert (result.exit_code, result.headline) == (4, "no testbed here")
    assert [each.judged for each in ended] == [None]
    folder = RunFolder(tmp_path / "runs" / result.run_id)
    assert folder.experiment.read_bytes() == validated
    plan = Plan.model_validate_json(folder.plan.read_bytes())
    assert [each.clause for each in plan.expect] == list(experiment.expect)
    assert plan.expect[1].where == f"{file}:12"
