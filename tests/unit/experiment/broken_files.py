"""Reads ``broken.txt``: what was changed in a good experiment file, and every message that this must give.

A case is ``=== its name``, the lines taken out (``-``), the lines put in their place (``+``; without
``-`` lines they are the whole file), and the messages without the file's name in front.
"""

from dataclasses import dataclass
from pathlib import Path

GOOD = """\
name: payments-slow
title: Payments answers slowly
learn: What the breaker is worth.
policy: default
load: {profile: mixed, rate_rps: 60, mix: {reserve: 0.75, read_event: 0.25}}
phases: {warmup_s: 2, baseline_s: 6, fault_s: 12, recovery_s: 10}
faults:
  - id: slow
    toxiproxy: {link: reservations-payments, toxic: latency, latency_ms: 3500, jitter_ms: 200}
expect:
  - rate: {phase: baseline, status: 200, min: 0.97}
  - breaker: {link: reservations-payments, opens_within_s: 5}
  - recovery: {within_s: 8}
invariants: all
"""
"""Line 5 is the load, 6 the phases, 9 the toxic, 11 to 13 the expectations."""


@dataclass(frozen=True)
class Broken:
    """One broken file and its messages."""

    name: str
    text: str
    messages: tuple[str, ...]


def read_cases() -> list[Broken]:
    text = (Path(__file__).parent / "broken.txt").read_text(encoding="utf-8")
    return [_case(part) for part in text.split("=== ")[1:]]


def _case(part: str) -> Broken:
    name, *lines = part.rstrip("\n").split("\n")
    old = "".join(f"{line[1:]}\n" for line in lines if line.startswith("-"))
    new = "".join(f"{line[1:]}\n" for line in lines if line.startswith("+"))
    new = new.replace("␉", "\t").replace("␁", "\x01")
    assert old in GOOD, f"{name}: the good file has no {old!r}"
    broken = GOOD.replace(old, new, 1) if old else new
    return Broken(name, broken, tuple(line for line in lines if line.startswith(":")))
