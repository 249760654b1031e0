"""A fault of the runner itself, in the middle of a fault window, on the real system."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from aguante.experiment import load_experiment
from aguante.plan.build import build_plan, new_run_id
from aguante.run.compose_run import parts_on
from aguante.run.orchestrator import run
from aguante.run.parts import RunRequest
from aguante.run.progress import LiveStatus
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.journal import pending
from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.testbed.testbed_file import load_testbed

ROOT = Path(__file__).parents[2]


class BrokenProgress:
    """Fails like a bug of ours would, once a fault is real."""

    def step(self, text: str) -> None:
        """Say nothing."""

    def tick(self, status: LiveStatus) -> None:
        if status.faults:
            message = "a bug of our own"
            raise RuntimeError(message)


def own_children() -> set[psutil.Process]:
    """The processes that this one started, without the runs that other tests started in the background."""
    return {each for each in psutil.Process().children() if "aguante" not in command_of(each)}


def command_of(process: psutil.Process) -> list[str]:
    """The arguments; none if it has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


async def test_a_crash_of_the_runner_heals_first(tmp_path: Path) -> None:
    """The error comes out only after the toxic is lifted and verified, and every process is gone."""
    spec = load_testbed(ROOT / "testbed.yaml")
    path = ROOT / "chaos-experiments" / "payments-slow.yaml"
    experiment = load_experiment(path, spec).model_copy(update={"abort_when": ()})
    short = experiment.phases.model_copy(
        update={"warmup_s": 1, "baseline_s": 1, "fault_s": 3, "recovery_s": 1}
    )
    experiment = experiment.model_copy(update={"phases": short})
    run_id = new_run_id("crash", datetime.now(UTC), "0000")
    plan = build_plan(experiment, spec, run_id=run_id, seed=1, source=str(path))
    request = RunRequest(plan, spec, path.read_bytes(), tmp_path)
    children_before = own_children()
    with pytest.raises(RuntimeError, match="a bug of our own"):
        await run(request, parts_on(NativeRuntime(), request, BrokenProgress()), asyncio.Event())
    folder = RunFolder(tmp_path / run_id)
    assert '"action":"applied"' in folder.events.read_text()
    assert '"action":"verified"' in folder.events.read_text()
    assert pending(folder.journal) == []
    assert own_children() <= children_before
