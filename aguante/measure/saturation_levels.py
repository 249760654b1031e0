"""The result of a search for saturation: levels of offered load, one sweep of levels per policy."""

from aguante.core.values import Value

FOLLOWS = 0.95
"""Goodput follows the load while it is at least this share of the offered rate."""
ACHIEVED_MIN = 0.99
LATE_P99_MS_MAX = 50.0
"""Beyond either limit the load generator itself is the bottleneck, and the level says nothing about the system."""


class Level(Value):
    """One level of offered load, measured after it settled. Rates count by intended start."""

    target_rps: float
    """The rate that was asked for."""
    offered_rps: float
    """The rate of the schedule in the measured window."""
    achieved_rps: float
    """Rate of requests that were sent and completed."""
    goodput_rps: float
    """Rate of 200s."""
    statuses: tuple[tuple[int, float], ...]
    """(status, share of the requests), in order of status; 0: no response."""
    mechanisms: tuple[tuple[str, float], ...]
    """(mechanism, share of the requests) of failures, the largest first."""
    p50_ms: float | None
    """Of the 200s, from the intended start; None: too few."""
    p95_ms: float | None
    late_p99_ms: float | None
    """Lateness of the generator."""

    @property
    def follows(self) -> bool:
        """Whether goodput follows the offered rate."""
        return self.goodput_rps >= FOLLOWS * self.offered_rps

    @property
    def generator_limited(self) -> bool:
        """Whether the load generator was the bottleneck."""
        late = self.late_p99_ms is None or self.late_p99_ms > LATE_P99_MS_MAX
        return self.achieved_rps < ACHIEVED_MIN * self.offered_rps or late


class Sweep(Value):
    """All levels under one policy, ascending. Only ``judged`` says something about the system."""

    policy: str
    levels: tuple[Level, ...]
    cut_short: str = ""
    """Why requested levels are missing, or empty; the levels present are complete."""

    @property
    def judged(self) -> tuple[Level, ...]:
        """The levels at which the load generator was not the bottleneck."""
        return judged(self.levels)

    @property
    def knee(self) -> Level | None:
        """The last level before goodput stopped following; None: it did not follow at the first."""
        last = None
        for level in self.judged:
            if not level.follows:
                break
            last = level
        return last

    @property
    def reached(self) -> bool:
        """Whether saturation was found: goodput did not follow at some level."""
        return any(not level.follows for level in self.judged)

    @property
    def peak_rps(self) -> float:
        """The highest goodput of any level."""
        return max((level.goodput_rps for level in self.judged), default=0.0)

    @property
    def retained(self) -> float | None:
        """Goodput at the highest level as a share of the peak: 1 is a plateau, 0 a collapse."""
        return self.judged[-1].goodput_rps / self.peak_rps if self.peak_rps else None


class Saturation(Value):
    """``saturation.json``."""

    format_version: int = 1
    id: str
    testbed: str
    command: str
    started_at: str
    """ISO 8601, UTC."""
    hold_s: float
    """How long each level is held."""
    settle_in_s: float
    """The part of ``hold_s`` that is not measured."""
    mix: tuple[tuple[str, float], ...]
    seed: int
    sweeps: tuple[Sweep, ...]


def judged(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    """The levels at which the load generator was not the bottleneck."""
    return tuple(level for level in levels if not level.generator_limited)


def enough(levels: tuple[Level, ...], beyond: int) -> bool:
    """Whether goodput did not follow at the last ``beyond`` judged levels."""
    known = judged(levels)
    return len(known) >= beyond and not any(level.follows for level in known[-beyond:])


def words(sweep: Sweep) -> str:
    """A sweep in one sentence; says so if it was cut short."""
    cut = "; cut short by a failure" if sweep.cut_short else ""
    return _words(sweep) + cut


def _words(sweep: Sweep) -> str:
    left_out = len(sweep.levels) - len(sweep.judged)
    if not sweep.judged:
        return "the load generator was the bottleneck at every level; no knee was reached"
    limited = f" ({left_out} left out, the load generator was the bottleneck)" if left_out else ""
    knee, last = sweep.knee, sweep.judged[-1]
    if not sweep.reached:
        highest = "the highest level judged" if left_out else "the highest level tried"
        return f"goodput follows up to {last.target_rps:g} rps, {highest}; no knee was reached{limited}"
    at = f"at {knee.target_rps:g} rps" if knee else f"below {sweep.judged[0].target_rps:g} rps"
    retained = f"{sweep.retained:.0%}" if sweep.retained is not None else "nothing"
    return (
        f"the knee is {at}; goodput peaks at {sweep.peak_rps:.0f} rps, and {retained} of that is left "
        f"at {last.target_rps:g} rps offered{limited}"
    )
