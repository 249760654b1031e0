"""A run freezes what was validated, whatever happens to the file afterwards."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from rich.console import Console
from shop import ROOT

from aguante.cli.options.runtime_choice import ChosenRuntime
from aguante.cli.play_single import Stage, play_here
from aguante.experiment import load_experiment
from aguante.plan.plan import Plan
from aguante.run_folder.folder import RunFolder
from aguante.suite.many_runs import Job
from aguante.testbed.runtime import Alive, Testbed, TestbedError
from aguante.testbed.testbed_spec import TestbedSpec

SLOW = ROOT / "tests" / "unit" / "payments-slow.yaml"


class NeverUp:
    """A runtime that cannot be started: a run ends after its folder was frozen."""

    control = None

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


def test_an_edit_after_validation_changes_nothing(
    tmp_path: Path, shop: TestbedSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run folder holds the file and the plan as they were validated, byte for byte."""
    file, quiet = tmp_path / "slow.yaml", Console(quiet=True)
    validated = SLOW.read_bytes()
    file.write_bytes(validated)
    experiment = load_experiment(file, shop)
    file.write_text("name: something-else\n")

    job = Job(1, str(file), experiment.name, experiment.title, "default", False, 7, 1)
    stage = Stage(shop, tmp_path / "runs", quiet, quiet, True, False, Never("native"))
    result = asyncio.run(play_here(job, experiment, stage, asyncio.Event()))

    assert (result.exit_code, result.headline) == (4, "no testbed here")
    folder = RunFolder(tmp_path / "runs" / result.run_id)
    assert folder.experiment.read_bytes() == validated
    plan = Plan.model_validate_json(folder.plan.read_bytes())
    assert [each.clause for each in plan.expect] == list(experiment.expect)
    assert plan.expect[1].where == f"{file}:12"
