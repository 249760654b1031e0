"""Arrival processes: the intended start of each request along a curve of rates, from a seed alone."""

import itertools
import random
from collections.abc import Iterator

from aguante.load_protocol.rates import Curve

ARRIVALS = ("fixed", "poisson")


def arrival_times(kind: str, curve: Curve, seed: int, together: int = 1) -> Iterator[float]:
    """Yield intended starts, in seconds since t0, ascending, until the curve ends.

    Args:
        kind: ``fixed`` (equally spaced where the rate is level, the first at 0) or ``poisson`` (independent
            exponential gaps, so that the count in any window is Poisson distributed).
        curve: arrivals per second over time.
        seed: the same seed gives the same times; ``fixed`` ignores it.
        together: the number of arrivals at each instant; the rate does not change.

    Raises:
        ValueError: the kind is not one of ``ARRIVALS``.
    """
    if kind not in ARRIVALS:
        msg = f"unknown arrival process {kind!r}; one of {', '.join(ARRIVALS)}"
        raise ValueError(msg)
    numbers = map(float, itertools.count()) if kind == "fixed" else _exponential(seed)
    if together == 1:
        return curve.when(numbers)
    groups = (number * together for number in numbers)
    return itertools.chain.from_iterable(
        itertools.repeat(at_s, together) for at_s in curve.when(groups)
    )


def _exponential(seed: int) -> Iterator[float]:
    # a separate random stream, so that choices do not depend on arrival times
    draw = random.Random(f"arrivals:{seed}")  # noqa: S311 - must be reproducible
    total = 0.0
    while True:
        total += draw.expovariate(1.0)
        yield total
