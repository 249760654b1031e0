"""``rate``: which requests are counted."""

import pytest
from small_ledger import Measure, request

from aguante.expectations.rate import Rate


@pytest.mark.parametrize(
    ("status", "hits"),
    [(503, 1), ("5xx", 2), ([429, "5xx"], 3), ([200, 0], 2), (None, 5)],
)
def test_a_rate_counts_statuses_classes_and_lists(
    status: int | str | list[int | str] | None, hits: int, measured: Measure
) -> None:
    """``5xx`` is every status from 500 to 599; no response is in no class."""
    requests = [request(at, 9.0, each) for at, each in enumerate((200, 503, 504, 429, 0))]
    asked = {"phase": "fault", "min": 0.1, "status": status}
    if status is None:
        asked |= {"mechanism": "timeout"}
        hits = 4
    assert measured(Rate.model_validate(asked), *requests).observed == pytest.approx(hits / 5)


def test_the_sentence_of_a_rate_has_its_statuses() -> None:
    """They are listed as written."""
    asked = Rate.model_validate({"phase": "fault", "status": [0, "5xx"], "max": 0.1})
    assert asked.sentence() == "rate of no response or 5xx in fault <= 10 %"
