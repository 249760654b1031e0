"""Percentiles of latencies: order statistics with distribution-free intervals, or nothing."""

from collections.abc import Mapping, Sequence

from aguante.core.statistics import rank, rank_interval, samples_needed
from aguante.core.values import Value
from aguante.expectations.evidence import Evidence

_COUNT = "SELECT count(value) FROM ({values})"
_AT_RANKS = "SELECT quantile_disc(value, $fractions::DOUBLE[]) FROM ({values})"


class Percentile(Value):
    """An order statistic with its distribution-free interval (None where n < 10/(1-p))."""

    p: float
    value_ms: float | None
    low_ms: float | None
    high_ms: float | None


def percentiles_of(
    evidence: Evidence, values: str, ps: Sequence[float], **parameters: object
) -> tuple[int, tuple[Percentile, ...]]:
    """The number of values, and their percentiles; the values themselves stay in DuckDB.

    Args:
        evidence: the run.
        values: a query with one column ``value``, milliseconds.
        ps: each in (0, 1).
        parameters: of the query.
    """
    (n,) = evidence.row(_COUNT.replace("{values}", values), **parameters)
    ranks = sorted({each for p in ps for each in _ranks(n, p)})
    at: dict[int, float] = {}
    if ranks:
        # quantile_disc(q) is the value of rank ceil(q n); halfway below a rank no rounding can miss it
        fractions = [(each - 0.5) / n for each in ranks]
        query = _AT_RANKS.replace("{values}", values)
        (found,) = evidence.row(query, fractions=fractions, **parameters)
        at = dict(zip(ranks, found, strict=True))
    return n, tuple(_percentile(n, p, at) for p in ps)


def percentile(ordered: Sequence[float], p: float) -> Percentile:
    """The p-quantile of a sorted sample, milliseconds; all None with fewer than 10/(1-p) values."""
    n = len(ordered)
    return _percentile(n, p, {each: ordered[each - 1] for each in _ranks(n, p)})


def _ranks(n: int, p: float) -> tuple[int, ...]:
    """The ranks, from 1, of the percentile and of its interval's ends; none where there are too few values."""
    if n < samples_needed(p):
        return ()
    return (rank(n, p), *(rank_interval(n, p) or ()))


def _percentile(n: int, p: float, at: Mapping[int, float]) -> Percentile:
    ranks = _ranks(n, p)
    if not ranks:
        return Percentile(p=p, value_ms=None, low_ms=None, high_ms=None)
    value, *ends = (at[each] for each in ranks)
    low, high = ends or (None, None)
    return Percentile(p=p, value_ms=value, low_ms=low, high_ms=high)
