"""How attempts show each command of Pumba, by its options."""

from collections.abc import Mapping

from aguante.faults.fault_options import OptionValue
from aguante.faults.observation import EVERY_FAILURE, ObservationRule, by_delay, by_shift

Options = Mapping[str, OptionValue]
PACKETS = 3
"""Of a call that a lost one delays: the request, and the answers of the database; on kept connections no more."""
SHARE_LEAST = 0.25
"""Of a loss whose share is small or not known: a tenth of the attempts must then show it."""


def failures(_: Options) -> ObservationRule:
    """Any failure proves it."""
    return ObservationRule(EVERY_FAILURE)


def restart(_: Options) -> ObservationRule:
    """An orderly restart may cost no attempt at all."""
    return ObservationRule(EVERY_FAILURE, new_process=True)


def delayed(options: Options) -> ObservationRule:
    """Attempts last at least the shortest delay."""
    return by_delay(_whole(options, "delay_ms"), _whole(options, "jitter_ms"))


def slower(_: Options) -> ObservationRule:
    """Every attempt gets slower, or the fault has no effect."""
    return by_shift()


def some_slower(_: Options) -> ObservationRule:
    """At least SHARE_LEAST of the attempts get slower."""
    return by_shift(SHARE_LEAST)


def lossy(options: Options) -> ObservationRule:
    """TCP repeats what is lost: attempts get slower (by 0.2 s and more a packet), and only some fail.

    ``1 - (1 - p)^PACKETS`` of the calls lose at least one of the packets that matter.
    """
    return by_shift(max(SHARE_LEAST, 1 - (1 - _lost(options)) ** PACKETS))


def _lost(options: Options) -> float:
    """Share of the packets that iptables or netem drops or corrupts."""
    percent, every = options.get("percent"), _whole(options, "every")
    if isinstance(percent, int | float):
        return percent / 100
    probability = options.get("probability")
    share = probability if isinstance(probability, int | float) else 0.0
    return 1 / every if every else share


def _whole(options: Options, key: str) -> int:
    value = options.get(key, 0)
    return value if isinstance(value, int) else 0
