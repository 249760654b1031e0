"""``detection``: how soon the system itself shows a fault."""

import pytest
from small_ledger import Measure, request

from aguante.expectations.detection import Detection


def test_a_fault_is_detected_when_the_first_failed_response_arrives(measured: Measure) -> None:
    """Sent 1 s before the fault, failed 3.2 s later with 504: detected 2.2 s after the fault began."""
    seen = measured(
        Detection(within_s=3), request(0, 7.0, 504, 3200.0), request(1, 9.0, 504, 3000.0)
    )
    assert seen.observed == pytest.approx(2.2)
    assert Detection(within_s=3).judge(seen).outcome == "met"
    assert Detection(within_s=2).judge(seen).outcome == "unmet"


def test_a_failure_before_the_fault_detects_nothing(measured: Measure) -> None:
    """A response that arrived earlier cannot show it."""
    seen = measured(Detection(within_s=3), request(0, 7.0, 504, 500.0), request(1, 8.5, 200))
    assert seen.observed is None
    assert Detection(within_s=3).judge(seen).observed == "never"


def test_business_outcomes_are_not_failures(measured: Measure) -> None:
    """409 and 402 do not count; 429 and no response do."""
    business = (request(0, 9.0, 409), request(1, 9.1, 402))
    assert measured(Detection(within_s=3), *business).observed is None
    assert measured(
        Detection(within_s=3), *business, request(2, 9.5, 429)
    ).observed == pytest.approx(1.51)
    assert measured(Detection(within_s=3), *business, request(2, 9.5, 0)).observed == pytest.approx(
        1.51
    )


def test_detection_on_a_link_ignores_other_links(measured: Measure) -> None:
    """Only failures that name the link count."""
    requests = (
        request(0, 9.0, 503, link="reservations-inventory"),
        request(1, 10.0, 503, link="reservations-payments"),
    )
    on = Detection(within_s=3, link="reservations-payments")
    assert measured(on, *requests).observed == pytest.approx(2.01)
    assert on.sentence() == "detection on reservations-payments <= 3 s"


def test_without_detection_and_with_missing_spans_the_outcome_is_unknown(measured: Measure) -> None:
    """A dropped span may have shown that a breaker opened."""
    asked = Detection(within_s=3)
    assert asked.judge(measured(asked, request(0, 9.0, 200), dropped=3)).outcome == "unknown"
