"""When requests are meant to start: pure arrival processes, from a seed alone."""

import itertools
import random
from collections.abc import Iterator

ARRIVALS = ("fixed", "poisson")


def arrival_times(kind: str, rate_rps: float, duration_s: float, seed: int) -> Iterator[float]:
    """Intended starts in ``[0, duration_s)``, seconds since t0, ascending and lazy.

    Args:
        kind: ``fixed`` (equally spaced, the first at 0) or ``poisson`` (independent exponential gaps,
            so that the count in any window is Poisson distributed).
        rate_rps: arrivals per second, > 0.
        duration_s: where arrivals stop; ``math.inf`` never does.
        seed: makes the same times again; ``fixed`` ignores it.

    Raises:
        ValueError: the kind is not one of ``ARRIVALS``.
    """
    if kind not in ARRIVALS:
        msg = f"unknown arrival process {kind!r}; one of {', '.join(ARRIVALS)}"
        raise ValueError(msg)
    times = _fixed(rate_rps) if kind == "fixed" else _poisson(rate_rps, seed)
    return itertools.takewhile(lambda at_s: at_s < duration_s, times)


def _fixed(rate_rps: float) -> Iterator[float]:
    # n / rate, not a running sum: rounding must not accumulate over an hour
    return (n / rate_rps for n in itertools.count())


def _poisson(rate_rps: float, seed: int) -> Iterator[float]:
    # a stream of its own, so that what is asked for does not depend on when
    draw = random.Random(f"arrivals:{seed}")  # noqa: S311 - reproducible on purpose
    at_s = 0.0
    while True:
        at_s += draw.expovariate(rate_rps)
        yield at_s
