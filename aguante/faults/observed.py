"""How an attempt of a caller shows each fault, and whether enough of them do. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from aguante.core.statistics import newcombe, wilson
from aguante.faults.planned_fault import PlannedFault, ProcessFault, PumbaFault, ToxiproxyFault
from aguante.faults.pumba_options import OptionValue

TIMED_OUT = ("timeout", "deadline", "client_timeout", "pool_exhausted")
CUT = ("disconnected", "connection_reset", "client_disconnected", "database_unavailable")
REFUSED = ("connect_refused", "client_refused")

SHIFT_CHANCE = 0.05
"""Share of attempts beyond the baseline's own p95 when nothing changed: what a shift has to beat."""
SHIFT_NEEDED = 0.20
SHIFT_ATTEMPTS = 20
LATE_NEEDED = 0.10
"""Of the attempts that a delay can reach, more than before: all should be late, but a fault on one of several
replicas, or beside another on the link, reaches fewer."""
LATE_ATTEMPTS = 3
"""One alone is as likely a pause of the machine."""
PACKETS = 3
"""Of a call that a lost one delays: the request, and the answers of the database; on kept connections no more."""
SHARE_LEAST = 0.25
"""Of a loss whose share is not known, or small: it must then show in a tenth of the attempts."""


@dataclass(frozen=True)
class BiteRule:
    """How an attempt shows a fault: it ended with one of these, or lasted at least ``slow_ms``."""

    errors: tuple[str, ...]
    slow_ms: float | None = None
    shift: bool = False
    """No single attempt proves it: a whole shift against the baseline is wanted."""
    share: float = 1.0
    """Of the attempts that the fault can reach; so many are expected to show it."""

    @property
    def late(self) -> bool:
        """An attempt shows it by lasting too long, as chance makes some last, too."""
        return self.slow_ms is not None and not self.shift

    def held_for(self, held_s: float) -> "BiteRule":
        """For a fault that held so long: who began less than the delay before its end was let go when it was lifted.

        >>> BiteRule((), slow_ms=3000.0).held_for(4.0).share
        0.25
        """
        if not self.late or self.slow_ms is None or held_s <= 0:
            return self
        return replace(self, share=self.share * max(0.0, 1 - self.slow_ms / 1000 / held_s))


def bite_rule(fault: PlannedFault) -> BiteRule:
    """The rule of a toxic, of an action on a process, or of a command of Pumba.

    What each does is its tool's documentation; what the caller calls it is the testbed's mechanisms.
    """
    match fault.fault:
        case ToxiproxyFault():
            return _toxic_rule(fault.fault)
        case ProcessFault():
            return BiteRule(TIMED_OUT + CUT + REFUSED)
        case PumbaFault():
            return _pumba_rule(fault.fault)


def _toxic_rule(fault: ToxiproxyFault) -> BiteRule:
    values: Mapping[str, int] = dict(fault.attributes)
    match fault.toxic:
        case "latency":
            slow_ms = max(1, values.get("latency", 0) - values.get("jitter", 0))
            return BiteRule(TIMED_OUT, slow_ms=float(slow_ms), share=fault.toxicity)
        case "down":
            return BiteRule(REFUSED + CUT)
        case "reset_peer" | "limit_data":
            return BiteRule(CUT)
        case "timeout":
            return BiteRule(TIMED_OUT + CUT)
        case _:
            return BiteRule(TIMED_OUT + CUT + REFUSED, shift=True, share=fault.toxicity)


def _pumba_rule(fault: PumbaFault) -> BiteRule:
    """TCP repeats what is lost: then attempts get slower (by 0.2 s and more a packet), and only some fail."""
    values: Mapping[str, OptionValue] = dict(fault.options)
    everything = TIMED_OUT + CUT + REFUSED
    match fault.command:
        case "kill" | "stop" | "pause" | "rm" | "restart":
            return BiteRule(everything)
        case "netem delay":
            slow_ms = max(1, _whole(values, "delay_ms") - _whole(values, "jitter_ms"))
            return BiteRule(TIMED_OUT, slow_ms=float(slow_ms))
        case "iptables loss" | "netem loss" | "netem corrupt":
            return BiteRule(everything, shift=True, share=share_of_calls(_lost(values)))
        case "netem duplicate" | "netem loss-state" | "netem loss-gemodel":
            return BiteRule(everything, shift=True, share=SHARE_LEAST)
        case _:  # exec, stress, netem rate: everything gets slower, or it was nothing
            return BiteRule(everything, shift=True)


def share_of_calls(lost: float) -> float:
    """How many calls lose at least one of the PACKETS that matter, SHARE_LEAST at least.

    Args:
        lost: share of the packets, 0 to 1.
    """
    return max(SHARE_LEAST, 1 - (1 - lost) ** PACKETS)


def _lost(values: Mapping[str, OptionValue]) -> float:
    """Share of the packets that iptables or netem drops."""
    every, percent = _whole(values, "every"), values.get("percent")
    if isinstance(percent, int | float):
        return percent / 100
    probability = values.get("probability")
    share = probability if isinstance(probability, int | float) else 0.0
    return 1 / every if every else share


def _whole(values: Mapping[str, OptionValue], key: str) -> int:
    value = values.get(key, 0)
    return value if isinstance(value, int) else 0


def felt(during: tuple[int, int], usual: tuple[int, int], rule: BiteRule) -> bool:
    """Whether the attempts of a window show a fault.

    Args:
        during: (attempts, bitten attempts) while the fault was there.
        usual: the same in the baseline.
        rule: one error of its own is proof enough; a delay, and a shift still more, takes as many as chance
            does not explain.
    """
    attempts, bitten = during
    if not bitten:
        return False
    if rule.shift:
        enough = attempts >= SHIFT_ATTEMPTS
        return enough and _shifted(during, rule.share)
    if rule.late:
        enough = bitten >= min(LATE_ATTEMPTS, attempts)
        return enough and _later(during, usual, rule.share)
    return bitten / attempts > (usual[1] / usual[0] if usual[0] else 0.0)


def _shifted(during: tuple[int, int], share: float) -> bool:
    """Wide enough, and not explained by chance (Wilson interval)."""
    attempts, bitten = during
    wide = bitten / attempts >= SHIFT_CHANCE + SHIFT_NEEDED * share
    return wide and wilson(bitten, attempts).low > SHIFT_CHANCE


def _later(during: tuple[int, int], usual: tuple[int, int], share: float) -> bool:
    """More attempts are late than before, by a tenth of those reached, and not by chance (Newcombe interval)."""
    difference = newcombe(during, usual)
    if difference is None:  # nobody used the link before: nothing says what is usual
        return _shifted(during, share)
    more = during[1] / during[0] - usual[1] / usual[0]
    return more >= LATE_NEEDED * share and difference.low > 0
