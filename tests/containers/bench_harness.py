"""Runs experiments through the command line, as a user does, and reads the results."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from aguante_process import ROOT

from aguante.core.own_program import aguante_command
from aguante.verdict.verdict import Verdict

RUN_LIMIT_S = 180
RETRIES = 2


class Played(NamedTuple):
    """The result of one run."""

    exit_code: int
    said: str
    verdict: Verdict

    @property
    def outcomes(self) -> dict[str, str]:
        """Outcomes by expectation."""
        return {each.text: each.outcome for each in self.verdict.expectations}


class Bench:
    """Experiment files, a folder for runs, and a private state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.beds = folder / "beds"
        self.runs = folder / "runs"

    def command(self, text: str, *options: str) -> list[str]:
        """The command line of ``aguante run`` for an experiment."""
        name = re.search(r"^name: (\S+)$", text, re.MULTILINE)
        assert name
        file = self.folder / f"{name[1]}.yaml"
        file.write_text(text)
        where = ("--testbed", str(ROOT / "testbed.yaml"), "--runs", str(self.runs))
        return aguante_command("run", str(file), "--quiet", *where, *options)

    @property
    def environment(self) -> Mapping[str, str]:
        return {**os.environ, "AGUANTE_STATE": str(self.beds)}

    def call(
        self, command: list[str], limit_s: float = RUN_LIMIT_S
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            command,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )

    def play(self, text: str, *options: str) -> Played:
        """Run it to its end; repeat a run that is inconclusive because the machine is busy."""
        before = set(self._verdicts())
        command = self.command(text, "--retry-inconclusive", str(RETRIES), *options)
        done = self.call(command, (1 + RETRIES) * RUN_LIMIT_S)
        said = done.stdout + done.stderr
        fresh = sorted(set(self._verdicts()) - before)
        assert fresh, said
        return Played(done.returncode, said, Verdict.model_validate_json(fresh[-1].read_bytes()))

    def recover(self) -> subprocess.CompletedProcess[str]:
        """Run ``aguante recover`` for all runs that were killed here."""
        return self.call(aguante_command("recover", "--runs", str(self.runs)), 90)

    def folders(self) -> set[Path]:
        """The folders of all runs so far, including repeated ones."""
        return {each.parent for each in self.runs.glob("*/plan.json")}

    def _verdicts(self) -> list[Path]:
        return list(self.runs.glob("*/verdict.json"))
