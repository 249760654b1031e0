"""What plain Locust says of a load at its end, and which answers it calls failures."""

from pathlib import Path

import msgspec
import pytest

from aguante.load_protocol.records import LoadSummary, RequestRecord
from loadtests.account import Tally, UnexpectedAnswerError, closing
from loadtests.operations import EXPECTED, OPERATIONS, is_expected
from loadtests.recorder import RecordFile

COUNTS = LoadSummary(offered=100, sent=100, shed=0, completed=100)
RECORD = RequestRecord(
    seq=0, operation="reserve", intended_s=0.0, started_s=0.0, latency_ms=1.0, status=409
)


@pytest.mark.parametrize(
    ("operation", "good", "bad"),
    [
        ("reserve", (200, 402, 409, 429, 503, 504), (0, 201, 301, 400, 404, 500, 502)),
        ("read_event", (200, 429, 503, 504), (0, 402, 404, 409, 500)),
        ("read_reservation", (200, 429, 503, 504), (0, 404, 409, 500)),
        ("reserve_sold_out", (409, 429, 503, 504), (0, 200, 402, 404, 500)),
        ("reserve_declined", (402, 409, 429, 503, 504), (0, 200, 404, 500)),
        ("reserve_bad", (400, 404, 413, 415, 422), (0, 200, 500, 503)),
    ],
)
def test_each_operation_has_answers_that_are_no_failure(
    operation: str, good: tuple[int, ...], bad: tuple[int, ...]
) -> None:
    """What the gateway's contract lets it be answered with; silence never is."""
    assert operation in OPERATIONS
    assert [s for s in good if not is_expected(operation, s)] == []
    assert [s for s in bad if is_expected(operation, s)] == []


def test_answers_are_named_only_for_operations_that_there_are() -> None:
    """A name that was mistyped would let everything pass as a reserve's."""
    assert EXPECTED.keys() <= OPERATIONS.keys()


def test_a_failure_says_what_would_have_been_right() -> None:
    """The line of Locust's error report."""
    told = str(UnexpectedAnswerError("read_event", 500))
    assert told == "read_event was answered 500; expected 200, 429, 503, 504"
    assert str(UnexpectedAnswerError("reserve_bad", 200)).endswith("expected 4xx")


def test_the_account_counts_answers_by_operation_and_status() -> None:
    """A line each, with what should not have come marked; those of workers are counted from their records."""
    tally = Tally()
    tally.add("reserve", 200)
    tally.add("reserve", 0)
    tally.add("read_event", 404)
    tally.add_records(msgspec.json.encode(RECORD) + b"\n" + msgspec.json.encode(RECORD) + b"\n")
    assert closing(COUNTS, tally)[1:] == [
        "read_event: 404 x 1 (not expected)",
        "reserve: no answer x 1 (not expected), 200 x 1, 409 x 2",
    ]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "offered 100, sent 100, shed 0, recorded 100; one clock"),
        ({"sent": 90, "shed": 10}, "offered 100, sent 90, shed 10, recorded 100; one clock"),
        (
            {"sent": 60},
            "offered 100, sent 60, shed 0, 40 never asked since users waited, recorded 100; one clock",
        ),
        (
            {"clock_error_ms": 0.214},
            "offered 100, sent 100, shed 0, recorded 100; workers' clocks agree within 0.21 ms",
        ),
    ],
)
def test_the_account_hides_no_shortfall(changed: dict[str, float], told: str) -> None:
    """What was shed, what users never asked, and by how much workers' clocks may differ."""
    assert closing(msgspec.structs.replace(COUNTS, **changed), Tally()) == [told]


def test_two_loads_do_not_share_a_file_of_records(tmp_path: Path) -> None:
    """Each counts its arrivals from 0: a file that holds something is refused and kept; an empty one is fine."""
    path = tmp_path / "requests.jsonl"
    RecordFile(str(path)).close()
    first = RecordFile(str(path))
    first.write(b"{}\n")
    first.close()
    with pytest.raises(FileExistsError, match="holds the records of another load"):
        RecordFile(str(path))
    assert path.read_bytes() == b"{}\n"
