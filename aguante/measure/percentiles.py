"""Percentiles of latencies: order statistics with distribution-free intervals, or nothing."""

from collections.abc import Sequence

from aguante.measure.model import Percentile
from aguante.statistics import rank, rank_interval, samples_needed


def percentile(ordered: Sequence[float], p: float) -> Percentile:
    """The p-quantile of a sorted sample, milliseconds; all None with fewer than 10/(1-p) values."""
    n = len(ordered)
    if n < samples_needed(p):
        return Percentile(p=p, value_ms=None, low_ms=None, high_ms=None)
    ranks = rank_interval(n, p)
    low, high = (ordered[ranks[0] - 1], ordered[ranks[1] - 1]) if ranks else (None, None)
    return Percentile(p=p, value_ms=ordered[rank(n, p) - 1], low_ms=low, high_ms=high)
