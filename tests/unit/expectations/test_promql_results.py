"""``promql``: a recorded result becomes one number, or is unknown."""

import pytest

from aguante.expectations.evidence import PromqlResult
from aguante.expectations.promql import NOT_ASKED, Promql

POINTS = ((8.0, 0.25), (9.0, 1.0), (10.0, None), (11.0, 0.5))


def asked(reduce: str) -> Promql:
    return Promql.model_validate({"query": "q", "phase": "fault", "reduce": reduce, "min": 0.0})


def recorded(**changed: object) -> PromqlResult:
    known: dict[str, object] = {"query": "q", "start_s": 8.0, "end_s": 11.0}
    return PromqlResult(**{**known, "series": 1, "labels": ({},), "points": POINTS, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reduce", "value"), [("last", 0.5), ("max", 1.0), ("min", 0.25), ("mean", 1.75 / 3)]
)
def test_the_values_of_a_window_are_reduced(reduce: str, value: float) -> None:
    """A value that is not a number is left out."""
    seen = asked(reduce).reduced(recorded())
    assert (seen.n, seen.observed) == (3, pytest.approx(value))
    assert seen.detail == f"{reduce} of 3 values from 8 to 11 s (0.25 to 1)"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (None, NOT_ASKED),
        (recorded(error="bad_data: parse error"), "bad_data: parse error"),
        (
            recorded(series=0, labels=(), points=()),
            "the query gave no series in this window (`or vector(0)` makes a 0 of that, where it means 0)",
        ),
        (
            recorded(series=3, labels=({"__name__": "up", "job": "a"}, {"x": "1"}), points=()),
            "the query gave 3 series (up{job=a}, {x=1}, ...): make one of them, e.g. by sum()",
        ),
        (
            recorded(points=((8.0, None), (9.0, None))),
            "the query gave no number in this window (a share of nothing?)",
        ),
    ],
)
def test_a_result_that_is_not_one_number_is_unknown(line: PromqlResult | None, why: str) -> None:
    """The measurement says why."""
    seen = asked("last").reduced(line)
    assert (seen.n, seen.observed, seen.unknown_because) == (0, None, why)
