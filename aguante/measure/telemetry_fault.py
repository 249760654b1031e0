"""Whether a fault on the telemetry link was observed, by how many spans the collector accepted meanwhile.

No request uses that link, and the spans that would show the fault are the missing ones. The evidence is the services'
own counter of exported spans, which is scraped every second.
"""

import math
from collections.abc import Iterable
from pathlib import Path

from aguante.collect.metrics_scraper import EVERY_S, Sample, read_series
from aguante.testbed.metric_names import SPANS_EXPORTED

LAG_S = EVERY_S + 0.5
"""For one scrape and one batch after a fault began, the counters may still include spans exported before it."""
MISSING_NEEDED = 0.25
EXPECTED_LEAST = 20


def telemetry_fault_observed(
    path: Path, baseline_s: tuple[float, float], fault_s: tuple[float, float]
) -> tuple[int, int, bool, str]:
    """(spans expected in the window, missing spans, whether the fault was observed, one sentence).

    >>> telemetry_fault_observed(Path("/nowhere"), (2, 8), (8, 12))
    (0, 0, False, 'the services count no spans (aguante_spans_exported_total)')

    Args:
        path: ``metrics.jsonl`` of the run.
        baseline_s: start and end of undisturbed export, seconds since t0; gives the expected rate.
        fault_s: start and end of the fault.
    """
    samples = tuple(read_series(path, SPANS_EXPORTED)) if path.exists() else ()
    if not samples:
        return 0, 0, False, f"the services count no spans ({SPANS_EXPORTED})"
    from_s, until_s = fault_s[0] + LAG_S, fault_s[1]
    a_second = increase(samples, *baseline_s) / max(baseline_s[1] - baseline_s[0], EVERY_S)
    expected = round(a_second * max(0.0, until_s - from_s))
    taken = round(increase(samples, from_s, until_s))
    missing = max(0, expected - taken)
    observed = expected >= EXPECTED_LEAST and missing / expected >= MISSING_NEEDED
    sentence = f"{taken} spans reached the collector; at the baseline's rate {expected} would have"
    return expected, missing, observed, sentence


def increase(samples: Iterable[Sample], from_s: float, until_s: float) -> float:
    """Increase of a counter in a window, over all instances; a counter that falls was reset to 0."""
    last: dict[str, float] = {}
    grown = 0.0
    for sample in samples:
        value = 0.0 if math.isnan(sample.value) else sample.value
        before = last.get(sample.instance, 0.0)
        last[sample.instance] = value
        if from_s < sample.at_s <= until_s:
            grown += value - before if value >= before else value
    return grown
