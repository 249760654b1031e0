"""A short run as its user starts it, stopped or hurt at a chosen moment, and all that it may have left behind."""

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

from aguante.core.own_program import aguante_command
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.journal import pending
from aguante.runtimes.testbed_state import SavedState, folders, read_state
from aguante.verdict.verdict import Verdict

ROOT = Path(__file__).parents[2]
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
"""The same, with a process that stands still and one that has ended."""

STAGES = ("boot", "baseline", "fault", "heal", "analysis")
_MOMENTS: dict[str, tuple[str, float, float]] = {
    "boot": ("", 0.0, 2.0),
    "baseline": ('"kind":"t0"', 0.0, 1.5),
    "fault": ('"action":"applied"', 0.0, FAULT_S - 0.2),
    "heal": ('"action":"applied"', FAULT_S - 0.2, FAULT_S + 0.5),
    "analysis": ('"kind":"collector"', 0.0, 1.5),
}
"""Stage -> the mark in the diary after which it begins, and from when to when it lasts, seconds."""


@dataclass
class Run:
    """One run in a folder of its own."""

    folder: Path
    process: "subprocess.Popen[bytes]"
    testbeds: set[str]
    """Ids that were seen, for what they keep outside the folder."""

    @classmethod
    def start(
        cls,
        folder: Path,
        fault_s: float = FAULT_S,
        text: str = EXPERIMENT,
        attach: "tuple[Path, str] | None" = None,
    ) -> "Run":
        """``text`` as a run of its own, or ``attach``: on a testbed of that home, by its id."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tmp").mkdir()
        experiment = folder / "brief.yaml"
        experiment.write_text(text % fault_s)
        home, which = (attach[0], ["--attach", attach[1]]) if attach else (folder, [])
        # a pipe, since a run whose files are all full must still be able to speak
        process = subprocess.Popen(
            aguante(folder, "run", str(experiment), *which),
            cwd=ROOT,
            env=environment(folder, home),
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

    def wait_for(self, mark: str) -> None:
        """Until the diary holds ``mark`` (empty: until there is a run folder)."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            if run := self.run_folder:
                text = run.events.read_text() if run.events.exists() else ""
                if mark in text:
                    return
            time.sleep(0.02)
        raise AssertionError(self.output())

    def await_moment(self, stage: str, draw: random.Random) -> None:
        mark, low_s, high_s = _MOMENTS[stage]
        self.wait_for(mark)
        time.sleep(draw.uniform(low_s, high_s))
        self.testbeds |= {root.name for root in folders(self.folder / "state")}

    def pid_of(self, name: str) -> int:
        return next(each.pid for each in self.state.processes if each.name == name)

    def end(self) -> int:
        """Its exit code."""
        try:
            return self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def left_behind(self, within_s: float = 0.0) -> list[str]:
        """Everything that should not be there any more; what is still ending gets ``within_s``."""
        deadline = time.monotonic() + within_s
        while (found := self._left()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return found

    def _left(self) -> list[str]:
        memory = Path("/dev/shm") / f"aguante-{os.getuid()}"  # noqa: S108 - what we look for
        return [
            *writers_below(self.folder),
            *named_by(str(self.folder)),
            *(str(root) for root in folders(self.folder / "state")),
            *(str(memory / each) for each in self.testbeds if (memory / each).exists()),
            *(str(path) for path in (self.folder / "tmp").iterdir()),
            *(f"not undone: {fault_id}" for fault_id in self.still_broken()),
        ]

    def still_broken(self) -> list[str]:
        """Ids of faults that the journal holds as not undone."""
        run = self.run_folder
        if run is None or not run.journal.exists():
            return []
        return [undo.fault_id for undo in pending(run.journal)]


def _copy(process: "subprocess.Popen[bytes]", target: Path) -> None:
    assert process.stdout
    with process.stdout, target.open("wb", buffering=0) as file:
        while said := process.stdout.read1():
            file.write(said)


def aguante(folder: Path, command: str, *arguments: str) -> list[str]:
    options = ["--runs", str(folder / "runs")]
    return aguante_command(command, *arguments, *options)


def environment(folder: Path, home: Path | None = None) -> dict[str, str]:
    """Of commands whose runs are in ``folder``, and whose testbeds are in ``home`` (the same, where none is given)."""
    own = {"AGUANTE_STATE": str((home or folder) / "state"), "TMPDIR": str(folder / "tmp")}
    return {**os.environ, **own}


def recover(folder: Path, home: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        aguante(folder, "recover"),
        cwd=ROOT,
        env=environment(folder, home),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def writers_below(folder: Path) -> list[str]:
    """Processes whose output goes to a file below ``folder``: each one that a run starts has its log there."""
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
    """Command lines of living processes whose arguments or environment hold ``text``: a folder, say."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            said = " ".join(process.cmdline()) + " ".join(process.environ().values())
            if text in said and process.pid != os.getpid():
                found.append(" ".join(process.cmdline()))
    return found


def strike(run: Run, stage: str, number: signal.Signals, seed: int) -> tuple[Run, int]:
    """Send a run that was just started a signal at a drawn moment of a stage, and await its end."""
    try:
        run.await_moment(stage, random.Random(seed))  # noqa: S311 - reproducible on purpose
        run.process.send_signal(number)
        return run, run.end()
    finally:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()
