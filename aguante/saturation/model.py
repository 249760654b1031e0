"""What a search for saturation found: levels of offered load, one sweep of them per policy."""

from aguante.values import Value

FOLLOWS = 0.95
"""Goodput follows while it is at least this share of what was offered."""
ACHIEVED_MIN = 0.99
LATE_P99_MS_MAX = 50.0
"""Beyond either, it is the load generator that does not follow, and the level says nothing of the system."""


class Level(Value):
    """One level of offered load, judged after it had settled in. Rates count by intended start."""

    target_rps: float
    """As asked for."""
    offered_rps: float
    """As the schedule really had it in the judged window."""
    achieved_rps: float
    """Sent, and answered or given up."""
    goodput_rps: float
    """Answered with 200."""
    statuses: tuple[tuple[int, float], ...]
    """(status, share of the requests), in order of status; 0: no answer."""
    mechanisms: tuple[tuple[str, float], ...]
    """(mechanism, share of the requests) of what failed, the largest first."""
    p50_ms: float | None
    """Of the 200s, from the intended start; None: there is none."""
    p95_ms: float | None
    late_p99_ms: float | None
    """How late the generator sent."""

    @property
    def follows(self) -> bool:
        """Whether goodput follows what was offered."""
        return self.goodput_rps >= FOLLOWS * self.offered_rps

    @property
    def generator_limited(self) -> bool:
        """Whether the generator itself could not follow."""
        late = self.late_p99_ms is None or self.late_p99_ms > LATE_P99_MS_MAX
        return self.achieved_rps < ACHIEVED_MIN * self.offered_rps or late


class Sweep(Value):
    """All levels under one policy, ascending."""

    policy: str
    levels: tuple[Level, ...]

    @property
    def knee(self) -> Level | None:
        """The last level up to which goodput followed all the way; None: it did not at the first."""
        last = None
        for level in self.levels:
            if not level.follows:
                break
            last = level
        return last

    @property
    def reached(self) -> bool:
        """Whether saturation was found: some level was not followed."""
        return any(not level.follows for level in self.levels)

    @property
    def peak_rps(self) -> float:
        """The most goodput of any level."""
        return max((level.goodput_rps for level in self.levels), default=0.0)

    @property
    def kept(self) -> float | None:
        """Goodput at the highest level as a share of the peak: 1 is a plateau, 0 a collapse."""
        return (
            self.levels[-1].goodput_rps / self.peak_rps if self.levels and self.peak_rps else None
        )


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
    """What of it is not judged."""
    mix: tuple[tuple[str, float], ...]
    seed: int
    sweeps: tuple[Sweep, ...]


def enough(levels: tuple[Level, ...], beyond: int) -> bool:
    """Whether a sweep has seen what it was made for: so many levels in a row that goodput did not follow."""
    return len(levels) >= beyond and not any(level.follows for level in levels[-beyond:])


def words(sweep: Sweep) -> str:
    """A sweep in one sentence."""
    knee, last = sweep.knee, sweep.levels[-1]
    if not sweep.reached:
        return f"goodput follows up to {last.target_rps:g} rps, the highest level tried: no knee was reached"
    at = f"at {knee.target_rps:g} rps" if knee else f"below {sweep.levels[0].target_rps:g} rps"
    kept = f"{sweep.kept:.0%}" if sweep.kept is not None else "nothing"
    return (
        f"the knee is {at}; goodput peaks at {sweep.peak_rps:.0f} rps, and {kept} of that is left "
        f"at {last.target_rps:g} rps offered"
    )
