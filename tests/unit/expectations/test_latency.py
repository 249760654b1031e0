"""``latency``: any percentile."""

import pytest

from aguante.expectations.latency import Latency


@pytest.mark.parametrize(("key", "p"), [("p75_ms_max", 0.75), ("p99_9_ms_max", 0.999)])
def test_a_latency_may_ask_for_any_percentile(key: str, p: float) -> None:
    """The key names the percentile, with an underscore for the decimal point."""
    asked = Latency.model_validate({"phase": "fault", key: 250})
    assert (asked.p, asked.max_ms) == (p, 250)
    assert asked.sentence() == f"p{p * 100:g} latency of 200 in fault <= 250 ms"
