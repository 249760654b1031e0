"""Each kind of expectation: its words, its bound, and its judgement."""

import pytest
from documented_expectations import EXAMPLES, PAGE

from aguante.expectations.achieved import Achieved
from aguante.expectations.amplification import Amplification
from aguante.expectations.attribution import Attribution
from aguante.expectations.breaker import Breaker
from aguante.expectations.expectation import Expectation
from aguante.expectations.goodput import Goodput
from aguante.expectations.latency import Latency
from aguante.expectations.measurement import Measurement, NamedValue
from aguante.expectations.promql import Promql
from aguante.expectations.rate import Rate
from aguante.expectations.recovery import Recovery
from aguante.expectations.registry import KINDS

RATE = Rate(phase="fault", status=503, origin="reservations", mechanism="breaker_open", min=0.4)
LATENCY = Latency(phase="fault", of_status=503, p95_ms_max=250)
BREAKER = Breaker(link="a-b", opens_within_s=5, closes_within_s=9)
PROMQL = Promql(query="sum(\n  up)", phase="fault", after_s=3, reduce="max", min=2, max=5)


def seen(observed: float | None, n: int = 100, **more: object) -> Measurement:
    return Measurement.model_validate({"n": n, "observed": observed, **more})


def breaker_seen(opened: float | None, closed: float | None) -> Measurement:
    values = (
        NamedValue(name="opened_after_s", value=opened),
        NamedValue(name="closed_after_s", value=closed),
    )
    return Measurement(n=3, observed=opened, values=values)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_documented(kind: str) -> None:
    """docs/experiments.md has its keys and an example."""
    assert EXAMPLES[kind].kind == kind
    assert f"\n| `{kind}` | " in PAGE


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (RATE, "rate of 503 breaker_open from reservations in fault >= 40 %"),
        (
            Rate(phase="fault", operation="read_event", after_s=6.5, status=200, min=0.9, max=0.95),
            "rate of 200 of read_event in fault after 6.5 s >= 90 % and <= 95 %",
        ),
        (Rate(phase="fault", status=0, max=0.0), "rate of no response in fault <= 0 %"),
        (Rate(phase="fault", link="a-b", max=0.1), "rate of responses on a-b in fault <= 10 %"),
        (LATENCY, "p95 latency of 503 in fault <= 250 ms"),
        (BREAKER, "breaker of a-b opens <= 5 s, closes <= 9 s"),
        (Breaker(link="a-b", closes_within_s=9), "breaker of a-b closes <= 9 s"),
        (Recovery(within_s=10), "recovery after the last fault <= 10 s"),
        (Goodput(phase="recovery", min_rps=40), "goodput in recovery >= 40 rps"),
        (
            Goodput(phase="fault", min_of_baseline=0.8),
            "goodput in fault against the baseline >= 80 %",
        ),
        (Attribution(min=0.99), "failures that name origin and mechanism >= 99 %"),
        (PROMQL, "max of `sum( up)` in fault after 3 s >= 2 and <= 5"),
        (Achieved(min=0.995), "achieved load >= 99.5 %"),
        (Achieved(late_p99_ms_max=10), "p99 of the load generator's lateness <= 10 ms"),
        (
            Attribution(phase="fault", min=1.0),
            "failures in fault that name origin and mechanism >= 100 %",
        ),
        (Amplification(link="a-b", max=1.2), "attempts per call on a-b <= 1.2"),
        (
            Amplification(link="a-b", phase="fault", max=2),
            "attempts per call on a-b in fault <= 2",
        ),
    ],
)
def test_an_expectation_reads_as_one_line(asked: Expectation, text: str) -> None:
    """It has every key and the bound."""
    assert asked.sentence() == text


@pytest.mark.parametrize(
    ("asked", "good", "bad", "shown"),
    [
        (RATE, 0.4, 0.399, "40.0 %"),
        (LATENCY, 250, 250.1, "250 ms"),
        (Recovery(within_s=10), 10, 10.1, "10.0 s"),
        (Goodput(phase="recovery", min_rps=40), 40, 39.9, "40.0 rps"),
        (Goodput(phase="fault", min_of_baseline=0.8), 0.8, 0.79, "80.0 %"),
        (Attribution(min=0.99), 0.99, 0.98, "99.0 %"),
        (PROMQL, 2, 1.9, "2"),
        (Achieved(min=0.995), 0.9951, 0.9949, "99.51 %"),
        (Achieved(late_p99_ms_max=10), 10, 10.1, "10.0 ms"),
        (Amplification(link="a-b", max=1.2), 1.2, 1.21, "1.20"),
    ],
)
def test_the_bound_decides(asked: Expectation, good: float, bad: float, shown: str) -> None:
    """A value on the bound is met, beyond it is unmet; the observed value has its unit."""
    ruling = asked.judge(seen(good))
    assert (ruling.outcome, ruling.observed) == ("met", shown)
    assert asked.judge(seen(bad)).outcome == "unmet"


@pytest.mark.parametrize("asked", EXAMPLES.values(), ids=EXAMPLES)
def test_an_unknown_measurement_is_unknown(asked: Expectation) -> None:
    """The ruling has the reason and no value."""
    ruling = asked.judge(seen(None, unknown_because="2 spans were dropped"))
    assert (ruling.outcome, ruling.observed) == ("unknown", "-")
    assert ruling.reason == "2 spans were dropped"


@pytest.mark.parametrize("asked", EXAMPLES.values(), ids=EXAMPLES)
def test_no_data_is_never_met(asked: Expectation) -> None:
    """A measurement of nothing is unknown, even if it has a value."""
    assert asked.judge(seen(0.0, n=0)).outcome == "unknown"


@pytest.mark.parametrize(
    ("opened", "closed", "outcome", "shown"),
    [
        (3.1, 6.0, "met", "opens 3.1 s, closes 6.0 s"),
        (5.1, 6.0, "unmet", "opens 5.1 s, closes 6.0 s"),
        (3.1, 9.1, "unmet", "opens 3.1 s, closes 9.1 s"),
        (3.1, None, "unmet", "opens 3.1 s, closes: never"),
        (None, None, "unmet", "opens: never, closes: never"),
    ],
)
def test_a_breaker_must_open_and_close_in_time(
    opened: float | None, closed: float | None, outcome: str, shown: str
) -> None:
    """Opening and closing are judged separately; one that did not happen is unmet."""
    ruling = BREAKER.judge(breaker_seen(opened, closed))
    assert (ruling.outcome, ruling.observed) == (outcome, shown)


def test_only_the_given_bound_of_a_breaker_is_judged() -> None:
    """A breaker that never closed may have opened in time."""
    asked = Breaker(link="a-b", opens_within_s=5)
    assert asked.judge(breaker_seen(3.1, None)).outcome == "met"


def test_a_breaker_time_that_was_not_measured_is_unknown() -> None:
    """This differs from a change that did not happen."""
    assert BREAKER.judge(seen(3.1)).outcome == "unknown"


def test_a_system_that_never_recovered_is_unmet() -> None:
    """It was measured, and goodput did not come back."""
    ruling = Recovery(within_s=10).judge(seen(None, n=1, detail="metastable: stuck"))
    assert (ruling.outcome, ruling.observed) == ("unmet", "never")
