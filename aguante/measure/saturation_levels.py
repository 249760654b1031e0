"""What a search for saturation found: levels of offered load, one sweep of them per policy."""

from aguante.core.values import Value

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
    """All levels under one policy, ascending. What is said of the system is said from ``judged`` alone."""

    policy: str
    levels: tuple[Level, ...]
    cut_short: str = ""
    """Why levels that were asked for are missing, or empty: those before it are whole."""

    @property
    def judged(self) -> tuple[Level, ...]:
        """The levels in which the load generator followed."""
        return judged(self.levels)

    @property
    def knee(self) -> Level | None:
        """The last level up to which goodput followed all the way; None: it did not at the first."""
        last = None
        for level in self.judged:
            if not level.follows:
                break
            last = level
        return last

    @property
    def reached(self) -> bool:
        """Whether saturation was found: some level was not followed."""
        return any(not level.follows for level in self.judged)

    @property
    def peak_rps(self) -> float:
        """The most goodput of any level."""
        return max((level.goodput_rps for level in self.judged), default=0.0)

    @property
    def kept(self) -> float | None:
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
    """What of it is not judged."""
    mix: tuple[tuple[str, float], ...]
    seed: int
    sweeps: tuple[Sweep, ...]


def judged(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    """Those that say something of the system."""
    return tuple(level for level in levels if not level.generator_limited)


def enough(levels: tuple[Level, ...], beyond: int) -> bool:
    """Whether a sweep has seen what it was made for: so many judged levels in a row that goodput did not follow."""
    told = judged(levels)
    return len(told) >= beyond and not any(level.follows for level in told[-beyond:])


def words(sweep: Sweep) -> str:
    """A sweep in one sentence, and that it was cut short."""
    cut = "; cut short by a failure" if sweep.cut_short else ""
    return _words(sweep) + cut


def _words(sweep: Sweep) -> str:
    left_out = len(sweep.levels) - len(sweep.judged)
    if not sweep.judged:
        return "the load generator was the limit at every level: no knee was reached"
    limited = f" ({left_out} left out, the load generator was their limit)" if left_out else ""
    knee, last = sweep.knee, sweep.judged[-1]
    if not sweep.reached:
        highest = "the highest level that says something" if left_out else "the highest level tried"
        return f"goodput follows up to {last.target_rps:g} rps, {highest}: no knee was reached{limited}"
    at = f"at {knee.target_rps:g} rps" if knee else f"below {sweep.judged[0].target_rps:g} rps"
    kept = f"{sweep.kept:.0%}" if sweep.kept is not None else "nothing"
    return (
        f"the knee is {at}; goodput peaks at {sweep.peak_rps:.0f} rps, and {kept} of that is left "
        f"at {last.target_rps:g} rps offered{limited}"
    )
