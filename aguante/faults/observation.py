"""How a caller's attempts show a fault, and whether enough of them do. Pure.

What each tool does is in its documentation; the error types are the mechanisms of ``testbed.yaml``.
"""

from dataclasses import dataclass, replace

from aguante.core.statistics import newcombe, wilson

TIMED_OUT = ("timeout", "deadline", "client_timeout", "pool_exhausted")
CUT = ("disconnected", "connection_reset", "client_disconnected", "database_unavailable")
REFUSED = ("connect_refused", "client_refused")
EVERY_FAILURE = TIMED_OUT + CUT + REFUSED

SHIFT_CHANCE = 0.05
"""Share of attempts beyond the baseline's own p95 when nothing changed; a shift must exceed it."""
SHIFT_NEEDED = 0.20
SHIFT_ATTEMPTS = 20
LATE_NEEDED = 0.10
"""Of the attempts that a delay can reach, so many more than before must be late. All of them should be, but a fault
on one of several replicas, or beside another fault on the link, reaches fewer."""
LATE_ATTEMPTS = 3
"""A single late attempt is as likely to be a pause of the machine."""


@dataclass(frozen=True)
class ObservationRule:
    """How an attempt shows a fault: it ended with one of these errors, or lasted at least ``slow_ms``."""

    errors: tuple[str, ...]
    slow_ms: float | None = None
    shift: bool = False
    """No single attempt proves the fault: the attempts as a whole must have become slower than in the baseline."""
    share: float = 1.0
    """Of the attempts that the fault can reach: so many are expected to show it."""
    new_process: bool = False
    """A process that was started during the fault proves it even if no attempt failed."""

    @property
    def late(self) -> bool:
        """Attempts show the fault by being late, which also happens by chance."""
        return self.slow_ms is not None and not self.shift

    def held_for(self, held_s: float) -> "ObservationRule":
        """The rule for a fault that held so long: an attempt that began shortly before its end was not delayed.

        >>> ObservationRule((), slow_ms=3000.0).held_for(4.0).share
        0.25
        """
        if not self.late or self.slow_ms is None or held_s <= 0:
            return self
        return replace(self, share=self.share * max(0.0, 1 - self.slow_ms / 1000 / held_s))


def by_errors(*errors: str) -> ObservationRule:
    """One attempt that ends with one of these errors proves the fault."""
    return ObservationRule(errors)


def by_delay(delay_ms: int, jitter_ms: int, share: float = 1.0) -> ObservationRule:
    """Attempts last at least the shortest delay, or time out."""
    return ObservationRule(TIMED_OUT, slow_ms=float(max(1, delay_ms - jitter_ms)), share=share)


def by_shift(share: float = 1.0) -> ObservationRule:
    """The attempts as a whole get slower, or fail in any way."""
    return ObservationRule(EVERY_FAILURE, shift=True, share=share)


def is_observed(during: tuple[int, int], usual: tuple[int, int], rule: ObservationRule) -> bool:
    """Whether the attempts of a window show a fault.

    Args:
        during: (attempts, those that show the fault) while it held.
        usual: the same in the baseline.
        rule: one error of its own is proof; a delay, and even more a shift, needs more attempts than chance explains.
    """
    attempts, affected = during
    if not affected:
        return False
    if rule.shift:
        return attempts >= SHIFT_ATTEMPTS and _shifted(during, rule.share)
    if rule.late:
        return affected >= min(LATE_ATTEMPTS, attempts) and _later(during, usual, rule.share)
    return affected / attempts > (usual[1] / usual[0] if usual[0] else 0.0)


def _shifted(during: tuple[int, int], share: float) -> bool:
    """Wide enough, and not explained by chance (Wilson interval)."""
    attempts, affected = during
    wide = affected / attempts >= SHIFT_CHANCE + SHIFT_NEEDED * share
    return wide and wilson(affected, attempts).low > SHIFT_CHANCE


def _later(during: tuple[int, int], usual: tuple[int, int], share: float) -> bool:
    """More attempts are late than before, by a tenth of those reached, and not by chance (Newcombe interval)."""
    difference = newcombe(during, usual)
    if difference is None:  # nobody used the link before: the usual share is unknown
        return _shifted(during, share)
    more = during[1] / during[0] - usual[1] / usual[0]
    return more >= LATE_NEEDED * share and difference.low > 0
