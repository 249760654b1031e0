"""A load test as an experiment without a fault: what ``aguante load`` was asked for, written down as a file.

So everything that is true of experiments is true of it: checked before anything starts, judged from a run
folder, repeated by ``aguante run``.
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
"""Asked where no other thresholds are given: that the load was what it says."""

NAME_MAX = 40
"""Characters of an experiment's name here."""


@dataclass(frozen=True)
class LoadTest:
    """What was asked for; nothing of it is checked yet."""

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
    """YAML with the key ``expect``, as it was written."""

    @property
    def name(self) -> str:
        """Of the experiment."""
        # a profile that there is not may hold anything, and is to be told as such
        return re.sub("[^a-z0-9]+", "-", f"load-{self.profile}".lower()).strip("-")[:NAME_MAX]

    def text(self) -> str:
        """The experiment file. Flow style is JSON, which is YAML."""
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
        """A race is for one seat, and every race for another one."""
        racers, seconds = self.shape.racers or 0, self.warmup_s + self.duration_s
        if self.profile != "race" or racers < 1 or not self.rate_rps * seconds > 0:
            return {}
        return {"events": min(1000, math.ceil(self.rate_rps * seconds / racers)), "capacity": 1}

    def path(self, folder: Path) -> Path:
        """Where it is written."""
        digest = hashlib.sha256(self.text().encode()).hexdigest()[:8]
        return folder / f"{self.name}-{digest}.yaml"

    def write(self, folder: Path) -> Path:
        """Write it below ``folder``; the same text is the same file, so that a run can name it for ever.

        Raises:
            OSError: the folder cannot be written.
        """
        path = self.path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text(), encoding="utf-8")
        return path
