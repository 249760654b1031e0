"""What is stored of each scrape, and how it is read back."""

import math
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from aguante.collect.metrics_scraper import Scrape, changes, parse, read_series


def test_samples_are_read_from_what_prometheus_client_writes() -> None:
    """Labels may contain spaces and quotes."""
    registry = CollectorRegistry()
    Counter("spans_dropped", "x", ("reason",), registry=registry).labels('a "b" c').inc(3)
    Histogram("seconds", "x", buckets=(0.5, 1.0), registry=registry).observe(0.7)
    values = parse(generate_latest(registry).decode())
    assert values[r'spans_dropped_total{reason="a \"b\" c"}'] == 3
    assert values['seconds_bucket{le="+Inf"}'] == 1
    assert values["seconds_sum"] == 0.7


def test_a_page_that_is_no_metrics_is_an_error() -> None:
    """An HTML page is not read as samples."""
    with pytest.raises(ValueError, match="could not convert"):
        parse("<html>Not Found</html>")


def test_only_what_changed_is_kept() -> None:
    """New and changed values are stored; null stands for a series that is gone or not finite."""
    before = {"a": 1.0, "b": 2.0, "c": 3.0}
    assert changes(before, {"a": 1.0, "b": 2.5, "d": 0.0, "e": math.inf}) == {
        "b": 2.5,
        "c": None,
        "d": 0.0,
        "e": None,
    }
    assert changes(before, before) == {}


def test_a_series_is_read_back_with_its_labels(tmp_path: Path) -> None:
    """Only the exact name matches, not a common prefix; an incomplete line is ignored."""
    path = tmp_path / "metrics.jsonl"
    scrapes = [
        Scrape(at_s=1.0, instance="p-1", samples={'hits{link="a"}': 1.0, "hits_created": 9.0}),
        Scrape(at_s=2.0, instance="p-1", samples={'hits{link="a"}': None}),
    ]
    lines = b"".join(msgspec.json.encode(scrape) + b"\n" for scrape in scrapes)
    path.write_bytes(lines + b'{"at_s": 3.0, "inst')
    first, second = read_series(path, "hits")
    assert (first.at_s, first.instance, first.labels, first.value) == (1.0, "p-1", {"link": "a"}, 1)
    assert math.isnan(second.value)
