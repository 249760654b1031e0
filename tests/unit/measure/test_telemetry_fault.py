"""Whether a dead collector was observed, by the services' own count of exported spans."""

from pathlib import Path

import msgspec
import pytest

from aguante.collect.metrics_scraper import Scrape
from aguante.measure.telemetry_fault import telemetry_fault_observed
from aguante.testbed.metric_names import SPANS_EXPORTED

BASELINE, FAULT = (2.0, 8.0), (8.0, 14.0)


def scraped(folder: Path, growth: dict[str, list[float]]) -> Path:
    """``metrics.jsonl`` with a scrape per second and the increases of each instance's counter."""
    path, lines = folder / "metrics.jsonl", []
    for instance, steps in growth.items():
        value = 0.0
        for second, step in enumerate(steps, start=1):
            value = max(0.0, value + step)
            scrape = Scrape(at_s=second, instance=instance, samples={SPANS_EXPORTED: value})
            lines.append(msgspec.json.encode(scrape) + b"\n")
    path.write_bytes(b"".join(lines))
    return path


@pytest.mark.parametrize(
    ("a_second", "missing", "observed"),
    [(0, 900, True), (100, 400, True), (150, 150, False), (200, 0, False), (400, 0, False)],
)
def test_a_fault_is_observed_when_the_collector_accepts_fewer_spans(
    a_second: float, missing: int, observed: bool, tmp_path: Path
) -> None:
    """A quarter less than the baseline's 200 spans per second, over both services, proves the fault.

    The first 1.5 s may still count earlier spans, so 900 are expected; the rest has five scrapes.
    """
    half = [100.0] * 8 + [a_second / 2] * 6
    path = scraped(tmp_path, {"gateway-1": half, "payments-1": half})
    expected, absent, seen, sentence = telemetry_fault_observed(path, BASELINE, FAULT)
    assert (expected, absent, seen) == (900, missing, observed)
    assert sentence.endswith("spans reached the collector; at the baseline's rate 900 would have")


def test_a_counter_that_was_reset_is_not_negative(tmp_path: Path) -> None:
    """A restarted service counts from 0."""
    path = scraped(tmp_path, {"payments-1": [100.0] * 8 + [100.0, 100.0, -10_000.0, 500.0, 0, 0]})
    assert telemetry_fault_observed(path, BASELINE, FAULT)[1] == 0


def test_too_few_spans_prove_nothing(tmp_path: Path) -> None:
    """19 missing spans may be a pause in the load."""
    path = scraped(tmp_path, {"payments-1": [4.0] * 8 + [0.0] * 6})
    assert telemetry_fault_observed(path, BASELINE, FAULT)[:3] == (18, 18, False)


def test_without_the_counter_the_fault_is_not_observed(tmp_path: Path) -> None:
    """The same without the file."""
    path = scraped(tmp_path, {})
    for each in (path, tmp_path / "nowhere"):
        expected, _, observed, sentence = telemetry_fault_observed(each, BASELINE, FAULT)
        assert (expected, observed) == (0, False)
        assert SPANS_EXPORTED in sentence
