"""Writes the load test of ``aguante load`` as an experiment file without faults.

A load test is then handled like any experiment: it is checked before anything starts, judged from its run folder,
and repeated with ``aguante run``.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aguante.load_protocol.rates import Shape

ACHIEVED = "expect:\n  - achieved: {min: 0.99}\n"
"""The threshold where none is given: the offered load was achieved."""

NAME_MAX = 40
"""Length of the experiment's name, characters."""


@dataclass(frozen=True)
class LoadTest:
    """The options of ``aguante load``, not checked yet."""

    profile: str
    rate_rps: float
    duration_s: float
    warmup_s: float
    shape: Shape
    mix: Mapping[str, float]
    arrivals: str
    workers: int
    users: int
    policy: str
    thresholds: str
    """YAML with the key ``expect``, as written by the user."""

    @property
    def name(self) -> str:
        """Of the experiment."""
        # an unknown profile, which is reported later, may contain any character
        return re.sub("[^a-z0-9]+", "-", f"load-{self.profile}".lower()).strip("-")[:NAME_MAX]

    def text(self) -> str:
        """The experiment file. Its values are JSON, which is valid YAML."""
        phases = {"warmup_s": self.warmup_s, "baseline_s": self.duration_s}
        document = {
            "name": self.name,
            "title": f"Load {self.profile}, without a fault",
            "learn": "Whether the system keeps its thresholds under this load alone.",
            "policy": self.policy,
            "load": self._load(),
            "phases": {key: value for key, value in phases.items() if value},
            "setup": self._setup(),
            "tags": ["load"],
        }
        lines = [f"{key}: {json.dumps(value)}" for key, value in document.items() if value]
        return "\n".join([*lines, self.thresholds.rstrip(), ""])

    def _load(self) -> dict[str, object]:
        given: dict[str, object] = {
            "profile": self.profile,
            "rate_rps": self.rate_rps,
            **self.shape.told(),
            "arrivals": self.arrivals,
            "mix": dict(self.mix),
        }
        if self.workers != 1:
            given["workers"] = self.workers
        if self.users:
            given["users"] = self.users
        return given

    def _setup(self) -> dict[str, int]:
        """Each race is for the only seat of an event of its own."""
        racers, seconds = self.shape.racers or 0, self.warmup_s + self.duration_s
        if self.profile != "race" or racers < 1 or not self.rate_rps * seconds > 0:
            return {}
        return {"events": min(1000, math.ceil(self.rate_rps * seconds / racers)), "capacity": 1}

    def path(self, folder: Path) -> Path:
        """Path of the file."""
        digest = hashlib.sha256(self.text().encode()).hexdigest()[:8]
        return folder / f"{self.name}-{digest}.yaml"

    def write(self, folder: Path) -> Path:
        """Write it below ``folder``. The name depends on the text, so the file that a run names never changes.

        Raises:
            OSError: the folder cannot be written.
        """
        path = self.path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text(), encoding="utf-8")
        return path
