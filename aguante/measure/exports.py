"""Whether a fault on the way of the spans was felt: by how many of them the collector took meanwhile.

No request takes that way, and the spans that could tell of it are those that are missing. What is left is the services'
own count of the spans that were taken from them, scraped each second.
"""

import math
from collections.abc import Iterable
from pathlib import Path

from aguante.collect.metrics_scraper import EVERY_S, Sample, read_series
from aguante.testbed.metric_names import SPANS_EXPORTED

LAG_S = EVERY_S + 0.5
"""A scrape and a batch after a fault began, the counters may still tell of what was taken before it."""
MISSING_NEEDED = 0.25
EXPECTED_LEAST = 20


def spans_felt(
    path: Path, baseline_s: tuple[float, float], fault_s: tuple[float, float]
) -> tuple[int, int, bool, str]:
    """(spans expected in the window, missing ones, whether the fault was felt, one sentence).

    >>> spans_felt(Path("/nowhere"), (2, 8), (8, 12))
    (0, 0, False, 'the services count no spans (aguante_spans_exported_total)')

    Args:
        path: ``metrics.jsonl`` of the run.
        baseline_s: from when to when spans went their way undisturbed, seconds since t0; gives what is expected.
        fault_s: from when to when the fault was there.
    """
    samples = tuple(read_series(path, SPANS_EXPORTED)) if path.exists() else ()
    if not samples:
        return 0, 0, False, f"the services count no spans ({SPANS_EXPORTED})"
    from_s, until_s = fault_s[0] + LAG_S, fault_s[1]
    a_second = increase(samples, *baseline_s) / max(baseline_s[1] - baseline_s[0], EVERY_S)
    expected = round(a_second * max(0.0, until_s - from_s))
    taken = round(increase(samples, from_s, until_s))
    missing = max(0, expected - taken)
    felt = expected >= EXPECTED_LEAST and missing / expected >= MISSING_NEEDED
    sentence = f"{taken} of {expected} spans reached the collector that would have in the baseline"
    return expected, missing, felt, sentence


def increase(samples: Iterable[Sample], from_s: float, until_s: float) -> float:
    """By how much a counter grew in a window, over all instances; one that fell began anew, at 0."""
    last: dict[str, float] = {}
    grown = 0.0
    for sample in samples:
        value = 0.0 if math.isnan(sample.value) else sample.value
        before = last.get(sample.instance, 0.0)
        last[sample.instance] = value
        if from_s < sample.at_s <= until_s:
            grown += value - before if value >= before else value
    return grown
