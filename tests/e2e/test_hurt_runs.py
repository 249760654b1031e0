"""A part of a run is damaged during its faults: the verdict gives the reason, and no fault remains."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psutil
import pytest
from aguante_process import ROOT
from real_runs import real_runs
from undo_harness import EXPERIMENT, Run, writers_below

from aguante.collect.otlp_collector import Collector
from aguante.drivers.driver_set import Drivers
from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.experiment import load_experiment
from aguante.plan.build import build_plan, new_run_id
from aguante.run.compose_run import parts_on
from aguante.run.fault_executor import HealError
from aguante.run.orchestrator import run
from aguante.run.parts import RunRequest
from aguante.run.progress import LiveStatus, QuietProgress
from aguante.run_folder.folder import RunFolder
from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.runtimes.testbed_state import folders, read_state
from aguante.testbed.runtime import Testbed
from aguante.testbed.testbed_file import load_testbed
from aguante.verdict.verdict import Verdict

LONG_FAULT_S = 6.0


def kill(pid_of: Callable[[Run], int]) -> Callable[[Run], None]:
    return lambda run: os.kill(pid_of(run), signal.SIGKILL)


def fill_the_disk(run: Run) -> None:
    """Like a full disk: the runner can write no further byte to any file."""
    psutil.Process(run.process.pid).rlimit(psutil.RLIMIT_FSIZE, (1, 1))


DAMAGE: dict[str, Callable[[Run], None]] = {
    "toxiproxy": kill(lambda run: run.pid_of("toxiproxy")),
    "postgres": kill(lambda run: run.pid_of("postgres")),
    "load": kill(lambda run: run.load_pid),
    "disk": fill_the_disk,
}


def damage_one(folder: Path, what: str) -> tuple[Run, int]:
    """A run that is damaged during its faults, and its exit code."""
    run = Run.start(folder, LONG_FAULT_S)
    try:
        run.wait_for('"id":"gone","action":"applied"')
        DAMAGE[what](run)
        return run, run.end()
    finally:
        run.kill_if_alive()


damaged = real_runs("damaged", {what: partial(damage_one, what=what) for what in DAMAGE})
Damaged = Mapping[str, tuple[Run, int]]


@pytest.mark.parametrize(
    ("what", "name"),
    [("toxiproxy", "toxiproxy"), ("postgres", "postgres"), ("load", "the load generator")],
)
def test_a_run_whose_part_dies_is_inconclusive_and_names_it(
    damaged: Damaged, what: str, name: str
) -> None:
    """Ended at once, exit 2, one reason, and nothing left to heal."""
    run, code = damaged[what]
    verdict = run.verdict
    assert verdict is not None, run.output()
    assert (code, verdict.verdict) == (2, "inconclusive"), run.output()
    assert f"{name} ended by itself" in verdict.reasons[0]
    assert run.left_behind() == []


def test_a_full_disk_is_inconclusive_and_heals_all_the_same(damaged: Damaged) -> None:
    """Nothing can be written, not even the verdict: a message, exit 2; recover finds no fault."""
    run, code = damaged["disk"]
    assert code == 2, run.output()
    assert "the evidence could not be written" in run.output()
    assert "File too large" in run.output()
    assert run.recover().returncode == 0
    assert run.left_behind() == []


class Meddler:
    """A progress that does something once, at a moment of the run."""

    def __init__(self, when_s: float, act: Callable[[], None]) -> None:
        self._when_s, self._act = when_s, act

    def step(self, text: str) -> None:
        """Say nothing."""

    def tick(self, status: LiveStatus) -> None:
        if status.at_s >= self._when_s:
            self._act()
            self._when_s = 1e9


def request_in(folder: Path) -> RunRequest:
    path = folder / "brief.yaml"
    path.write_text(EXPERIMENT % 2)
    spec = load_testbed(ROOT / "testbed.yaml")
    experiment = load_experiment(path, spec)
    run_id = new_run_id("brief", datetime.now(UTC), "0000")
    plan = build_plan(experiment, spec, run_id=run_id, seed=1, source=str(path))
    return RunRequest(plan, spec, path.read_bytes(), folder / "runs")


def verdict_in(request: RunRequest) -> Verdict:
    path = RunFolder(request.runs / request.plan.run_id).verdict
    return Verdict.model_validate_json(path.read_text())


def pause_toxiproxy(state: Path) -> None:
    (root,) = folders(state)
    saved = read_state(root)
    assert saved
    os.kill(next(p.pid for p in saved.processes if p.name == "toxiproxy"), signal.SIGSTOP)


async def test_a_toxiproxy_that_hangs_on_removal_ends_as_not_healed(
    tmp_path: Path,
) -> None:
    """The error comes within its limit, the verdict names the faults, the testbed is gone with its toxics."""
    request, state = request_in(tmp_path), tmp_path / "state"
    progress = Meddler(2.5, lambda: pause_toxiproxy(state))

    def impatient_drivers(testbed: Testbed) -> Drivers:
        api, run_id = testbed.toxiproxy, request.plan.run_id
        driver = ToxiproxyDriver(api, run_id, call_limit_s=0.3, removal_limit_s=1.0)
        return Drivers({"toxiproxy": driver})

    parts = parts_on(NativeRuntime(state), request, progress)
    parts = replace(parts, drivers_for=impatient_drivers, heal_limit_s=3.0)
    with pytest.raises(HealError, match=r"not healed within 3 s: .*slow.*aguante recover"):
        await run(request, parts, asyncio.Event())
    verdict = verdict_in(request)
    assert verdict.verdict == "inconclusive"
    assert "not healed within 3 s" in verdict.reasons[0]
    assert (writers_below(tmp_path), folders(state)) == ([], ())


async def test_traces_that_cannot_be_written_are_reported_as_lost(tmp_path: Path) -> None:
    """The services are not hurt, the run goes on to its end, and is not held on evidence that is missing."""
    request = request_in(tmp_path)
    parts = parts_on(NativeRuntime(tmp_path / "state"), request, QuietProgress())
    parts = replace(parts, collector=Collector(Path("/dev/full")))
    outcome = await run(request, parts, asyncio.Event())
    assert outcome.verdict.verdict == "inconclusive"
    assert any("No space left on device" in reason for reason in outcome.verdict.reasons)
    assert all(fault.undone_verified for fault in outcome.verdict.faults)
