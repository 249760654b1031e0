"""A short run as a process, which is interrupted or damaged at a chosen moment, and everything that it left behind."""

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from aguante_process import ROOT, run_aguante
from waiting import wait_until

from aguante.core.own_program import aguante_command
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.journal import pending
from aguante.runtimes.testbed_state import SavedState, folders, read_state
from aguante.verdict.verdict import Verdict

LIMIT_S = 90.0
FAULT_S = 1.5
EXPERIMENT = """
name: brief
title: Payments answers late, and a proxy is down, for a moment
learn: Whatever ends the run, nothing stays broken.
load: {profile: mixed, rate_rps: 30, mix: {reserve: 0.75, read_event: 0.25}}
phases: {warmup_s: 0.5, baseline_s: 1, fault_s: %s, recovery_s: 1}
faults:
  - {id: slow, toxiproxy: {link: reservations-payments, toxic: latency, latency_ms: 3500}}
  - {id: gone, toxiproxy: {link: reservations-notifications, toxic: down}}
expect:
  - rate: {phase: baseline, status: 200, min: 0.5}
invariants: all
"""

WITH_PROCESSES = EXPERIMENT.replace(
    "expect:",
    """  - {id: still, process: {service: inventory, action: pause}}
  - {id: ended, process: {service: notifications, action: stop}}
expect:""",
)
"""The same, with a paused and a stopped process."""

STAGES = ("boot", "baseline", "fault", "heal", "analysis")
_MOMENTS: dict[str, tuple[str, float, float]] = {
    "boot": ("", 0.0, 2.0),
    "baseline": ('"kind":"t0"', 0.0, 1.5),
    "fault": ('"action":"applied"', 0.0, FAULT_S - 0.2),
    "heal": ('"action":"applied"', FAULT_S - 0.2, FAULT_S + 0.5),
    "analysis": ('"kind":"collector"', 0.0, 1.5),
}
"""Stage -> the event after which it begins, and from when to when it lasts after that, seconds."""


@dataclass
class Run:
    """One run in a folder of its own."""

    folder: Path
    process: "subprocess.Popen[bytes]"
    testbeds: set[str]
    """Ids of testbeds seen so far, for their files outside the folder."""

    @classmethod
    def start(
        cls,
        folder: Path,
        fault_s: float = FAULT_S,
        text: str = EXPERIMENT,
        attach: "tuple[Path, str] | None" = None,
    ) -> "Run":
        """Start ``text`` on a testbed of its own, or with ``attach`` on one of that home, by its id."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tmp").mkdir()
        experiment = folder / "brief.yaml"
        experiment.write_text(text % fault_s)
        home, which = (attach[0], ["--attach", attach[1]]) if attach else (folder, [])
        # a pipe, since a run that can write no file must still be able to report that
        process = subprocess.Popen(
            aguante_command("run", str(experiment), *which, "--runs", str(folder / "runs")),
            cwd=ROOT,
            env={**os.environ, **environment(folder, home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        threading.Thread(target=_copy, args=(process, folder / "output"), daemon=True).start()
        return cls(folder, process, set())

    @property
    def run_folder(self) -> RunFolder | None:
        found = sorted((self.folder / "runs").glob("*"))
        return RunFolder(found[0]) if found else None

    @property
    def verdict(self) -> Verdict | None:
        run = self.run_folder
        if run is None or not run.verdict.exists():
            return None
        return Verdict.model_validate_json(run.verdict.read_text())

    @property
    def state(self) -> SavedState:
        (root,) = folders(self.folder / "state")
        state = read_state(root)
        assert state
        return state

    @property
    def load_pid(self) -> int:
        for child in psutil.Process(self.process.pid).children():
            if any("locustfile" in part for part in child.cmdline()):
                return child.pid
        raise AssertionError

    def output(self) -> str:
        return (self.folder / "output").read_text()

    def wait_for(self, event: str) -> None:
        """Wait until the event log holds ``event`` (empty: until there is a run folder)."""

        def logged() -> bool:
            assert self.process.poll() is None, self.output()
            run = self.run_folder
            text = run.events.read_text() if run and run.events.exists() else ""
            return run is not None and event in text

        wait_until(logged, event or "the run folder", LIMIT_S)

    def wait_for_moment(self, stage: str, draw: random.Random) -> None:
        event, low_s, high_s = _MOMENTS[stage]
        self.wait_for(event)
        time.sleep(draw.uniform(low_s, high_s))
        self.testbeds |= {root.name for root in folders(self.folder / "state")}

    def pid_of(self, name: str) -> int:
        return next(each.pid for each in self.state.processes if each.name == name)

    def end(self) -> int:
        """Wait for its exit code."""
        try:
            return self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def left_behind(self, within_s: float = 0.0) -> list[str]:
        """Everything that should be gone; what is still ending has ``within_s`` to do so."""
        deadline_s = time.monotonic() + within_s
        while (found := self._left()) and time.monotonic() < deadline_s:
            time.sleep(0.1)
        return found

    def _left(self) -> list[str]:
        memory = Path("/dev/shm") / f"aguante-{os.getuid()}"  # noqa: S108 - where testbeds keep data
        return [
            *writers_below(self.folder),
            *named_by(str(self.folder)),
            *(str(root) for root in folders(self.folder / "state")),
            *(str(memory / each) for each in self.testbeds if (memory / each).exists()),
            *(str(path) for path in (self.folder / "tmp").iterdir()),
            *(f"not undone: {fault_id}" for fault_id in self.still_broken()),
        ]

    def still_broken(self) -> list[str]:
        """Ids of the faults that the journal lists as not undone."""
        run = self.run_folder
        if run is None or not run.journal.exists():
            return []
        return [undo.fault_id for undo in pending(run.journal)]

    def recover(self, home: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """``aguante recover`` of this run, on the testbeds of ``home`` (by default its own)."""
        runs, env = self.folder / "runs", environment(self.folder, home)
        return run_aguante("recover", "--runs", runs, env=env, limit_s=60)

    def kill_if_alive(self) -> None:
        """End it at the latest now."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def _copy(process: "subprocess.Popen[bytes]", target: Path) -> None:
    assert process.stdout
    with process.stdout, target.open("wb", buffering=0) as file:
        while text := process.stdout.read1():
            file.write(text)


def environment(folder: Path, home: Path | None = None) -> dict[str, str]:
    """For commands with their runs in ``folder`` and their testbeds in ``home`` (by default the same)."""
    return {"AGUANTE_STATE": str((home or folder) / "state"), "TMPDIR": str(folder / "tmp")}


def writers_below(folder: Path) -> list[str]:
    """Processes whose output is a file below ``folder``, as every process of a testbed there."""
    found = []
    for process in psutil.process_iter():
        for fd in (1, 2):
            with contextlib.suppress(OSError, psutil.Error):
                target = str(Path(f"/proc/{process.pid}/fd/{fd}").readlink())
                if target.startswith(f"{folder}/"):
                    found.append(f"{process.pid} {process.status()} {' '.join(process.cmdline())}")
                    break
    return found


def named_by(text: str) -> list[str]:
    """Command lines of processes with ``text``, such as a folder, in their arguments or environment."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = " ".join(process.cmdline()) + " ".join(process.environ().values())
            if text in words and process.pid != os.getpid():
                found.append(" ".join(process.cmdline()))
    return found


def interrupt(run: Run, stage: str, number: signal.Signals, seed: int) -> int:
    """Send a signal to a run at a random moment of a stage; its exit code."""
    try:
        run.wait_for_moment(stage, random.Random(seed))  # noqa: S311 - must be reproducible
        run.process.send_signal(number)
        return run.end()
    finally:
        run.kill_if_alive()
