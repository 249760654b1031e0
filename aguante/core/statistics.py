"""The formulas of the measures: small pure functions with their sources. Shares go from 0 to 1."""

import math
import random
from dataclasses import dataclass

CONFIDENCE = 0.95
Z_95 = 1.959963984540054
"""The 0.975 quantile of the standard normal distribution."""


@dataclass(frozen=True)
class Interval:
    """A closed interval that covers the true value with the stated confidence."""

    low: float
    high: float


def wilson(successes: int, n: int, z: float = Z_95) -> Interval:
    """Score interval of a binomial proportion; holds for independent outcomes only.

    Source: E. B. Wilson (1927), J. Am. Stat. Assoc. 22, 209-212; recommended by Brown, Cai and
    DasGupta (2001), Statistical Science 16, 101-133.

    Raises:
        ValueError: not 0 <= successes <= n with n > 0.
    """
    if n <= 0 or not 0 <= successes <= n:
        message = f"wilson needs 0 <= successes <= n and n > 0, found {successes} of {n}"
        raise ValueError(message)
    share, z2 = successes / n, z * z
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def newcombe(
    more: tuple[int, int], less: tuple[int, int], confidence_z: float = Z_95
) -> Interval | None:
    """Interval of the difference of two independent proportions, ``more`` less ``less``; None: one has no trials.

    Built from the score intervals (``wilson``) of both. 1 of 500 less 0 of 240: from -1.4 % to 1.1 %, so there may be
    no difference; 30 of 100 less 0 of 240: from 21.7 % to 39.6 %.
    Source: R. G. Newcombe (1998), Statistics in Medicine 17, 873-890, method 10.

    Args:
        more: (trials, successes).
        less: the same.
        confidence_z: quantile of the standard normal distribution, as for ``wilson``.

    Raises:
        ValueError: more successes than trials.
    """
    if not more[0] or not less[0]:
        return None
    a, b = more[1] / more[0], less[1] / less[0]
    around_a, around_b = (wilson(hits, n, confidence_z) for n, hits in (more, less))
    below = math.hypot(a - around_a.low, around_b.high - b)
    above = math.hypot(around_a.high - a, b - around_b.low)
    return Interval(a - b - below, a - b + above)


def samples_needed(p: float) -> int:
    """How many samples a percentile needs: ``ceil(10 / (1 - p))``, of which ten lie beyond it on average.

    A convention of this project: p50 needs 20, p95 200, p99 1000.
    """
    return math.ceil(round(10 / (1 - p), 9))


def rank(n: int, p: float) -> int:
    """Rank, from 1, of the order statistic that is the p-quantile of n samples: ``ceil(n p)``.

    Source: the inverse of the empirical distribution, type 1 in Hyndman and Fan (1996),
    American Statistician 50, 361-365. No value is interpolated between two samples.
    """
    return min(n, max(1, math.ceil(round(n * p, 9))))


def rank_interval(n: int, p: float, confidence: float = CONFIDENCE) -> tuple[int, int] | None:
    """Ranks, from 1, of two order statistics between which the p-quantile lies; None: too few samples.

    Makes no assumption about the distribution: the number of samples below the quantile is
    Binomial(n, p). Equal tails: the largest l with P(B <= l - 1) <= alpha/2 and the smallest u with
    P(B <= u - 1) >= 1 - alpha/2. Source: H. A. David and H. N. Nagaraja, Order Statistics, 3rd ed.
    (2003), section 7.1.
    """
    tail = (1 - confidence) / 2
    low, high = 0, 0
    cumulative = 0.0
    for k, chance in _binomial(n, p):
        cumulative += chance
        if cumulative <= tail:
            low = k + 1
        if cumulative >= 1 - tail:
            high = k + 1
            break
    return (low, high) if low >= 1 and 1 <= high <= n else None


def _binomial(n: int, p: float) -> list[tuple[int, float]]:
    """(k, P(B = k)) within ten standard deviations of the mean; the rest is below 1e-20."""
    spread = 10 * math.sqrt(n * p * (1 - p)) + 10
    first, last = max(0, math.floor(n * p - spread)), min(n, math.ceil(n * p + spread))
    log_first = (
        math.lgamma(n + 1)
        - math.lgamma(first + 1)
        - math.lgamma(n - first + 1)
        + first * math.log(p)
        + (n - first) * math.log(1 - p)
    )
    log_chance, odds, result = log_first, math.log(p / (1 - p)), []
    for k in range(first, last + 1):
        result.append((k, math.exp(log_chance)))
        if k < last:
            log_chance += math.log((n - k) / (k + 1)) + odds
    return result


def recovered_after(shares: list[float], baseline: float, windows: int = 3) -> int | None:
    """Index of the first of ``windows`` consecutive seconds that are as good as the baseline; or None.

    A second is good when its goodput per offered request is at least 0.95 of the baseline's.

    Args:
        shares: goodput/offered of each whole second after the last fault ended.
        baseline: goodput/offered of the baseline phase.
        windows: how many good seconds in a row make a recovery.
    """
    good = [share >= 0.95 * baseline for share in shares]
    for at in range(len(good) - windows + 1):
        if all(good[at : at + windows]):
            return at
    return None


BOOTSTRAP_RUNS_MIN = 5
"""With fewer runs a bootstrap interval would claim too much precision, so none is given."""
BOOTSTRAP_RESAMPLES = 4000


def bootstrap_difference(
    a: list[float],
    b: list[float],
    *,
    paired: bool,
    seed: int = 0,
    resamples: int = BOOTSTRAP_RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Interval | None:
    """Percentile bootstrap interval of mean(b) - mean(a), with the run as the unit; None: too few runs.

    If paired, the differences of the pairs are resampled, so that effects common to both runs of a pair cancel;
    otherwise each side is resampled by itself. No distribution is assumed. At N = 5 the interval is somewhat too
    narrow, since it cannot extend beyond the observed values. The draws depend only on ``seed``: the same runs
    always give the same interval. Source: B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993),
    chapters 8 and 13.

    Raises:
        ValueError: paired, but the sides differ in length.
    """
    if paired and len(a) != len(b):
        message = f"pairs need as many values of A as of B, found {len(a)} and {len(b)}"
        raise ValueError(message)
    if min(len(a), len(b)) < BOOTSTRAP_RUNS_MIN:
        return None
    draw = random.Random(seed)  # noqa: S311  resampling is not cryptography
    if paired:
        pairs = [y - x for x, y in zip(a, b, strict=True)]
        means = [
            math.fsum(draw.choices(pairs, k=len(pairs))) / len(pairs) for _ in range(resamples)
        ]
    else:
        means = [
            math.fsum(draw.choices(b, k=len(b))) / len(b)
            - math.fsum(draw.choices(a, k=len(a))) / len(a)
            for _ in range(resamples)
        ]
    means.sort()
    tail = (1 - confidence) / 2
    return Interval(means[rank(resamples, tail) - 1], means[rank(resamples, 1 - tail) - 1])
