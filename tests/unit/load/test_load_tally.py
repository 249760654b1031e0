"""The result that plain Locust prints, and the responses that it counts as failures."""

from pathlib import Path

import msgspec
import pytest

from aguante.load_protocol.records import LoadSummary, RequestRecord
from loadtests.operations import EXPECTED, OPERATIONS, is_expected
from loadtests.recorder import RecordFile
from loadtests.tally import Tally, UnexpectedResponseError, summary_lines

COUNTS = LoadSummary(offered=100, sent=100, shed=0, completed=100)
RECORD = RequestRecord(
    seq=0, operation="reserve", intended_s=0.0, started_s=0.0, latency_ms=1.0, status=409
)


@pytest.mark.parametrize(
    ("operation", "expected", "unexpected"),
    [
        ("reserve", (200, 402, 409, 429, 503, 504), (0, 201, 301, 400, 404, 500, 502)),
        ("read_event", (200, 429, 503, 504), (0, 402, 404, 409, 500)),
        ("read_reservation", (200, 429, 503, 504), (0, 404, 409, 500)),
        ("reserve_sold_out", (409, 429, 503, 504), (0, 200, 402, 404, 500)),
        ("reserve_declined", (402, 409, 429, 503, 504), (0, 200, 404, 500)),
        ("reserve_bad", (400, 404, 413, 415, 422), (0, 200, 500, 503)),
    ],
)
def test_each_operation_has_expected_statuses(
    operation: str, expected: tuple[int, ...], unexpected: tuple[int, ...]
) -> None:
    """Those of the gateway's contract; a missing response is never expected."""
    assert operation in OPERATIONS
    assert [s for s in expected if not is_expected(operation, s)] == []
    assert [s for s in unexpected if is_expected(operation, s)] == []


def test_expected_statuses_name_only_known_operations() -> None:
    """A mistyped name would silently fall back to the default."""
    assert EXPECTED.keys() <= OPERATIONS.keys()


def test_a_failure_names_the_expected_statuses() -> None:
    """The line of Locust's error report."""
    message = str(UnexpectedResponseError("read_event", 500))
    assert message == "read_event was answered 500; expected 200, 429, 503, 504"
    assert str(UnexpectedResponseError("reserve_bad", 200)).endswith("expected 4xx")


def test_the_tally_counts_responses_by_operation_and_status() -> None:
    """One line per operation, unexpected statuses marked; workers are counted from their records."""
    tally = Tally()
    tally.add("reserve", 200)
    tally.add("reserve", 0)
    tally.add("read_event", 404)
    tally.add_records(msgspec.json.encode(RECORD) + b"\n" + msgspec.json.encode(RECORD) + b"\n")
    assert summary_lines(COUNTS, tally)[1:] == [
        "read_event: 404 x 1 (not expected)",
        "reserve: no answer x 1 (not expected), 200 x 1, 409 x 2",
    ]


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({}, "offered 100, sent 100, shed 0, recorded 100; one clock"),
        ({"sent": 90, "shed": 10}, "offered 100, sent 90, shed 10, recorded 100; one clock"),
        (
            {"sent": 60},
            "offered 100, sent 60, shed 0, 40 not sent because users waited, recorded 100; one clock",
        ),
        (
            {"clock_error_ms": 0.214},
            "offered 100, sent 100, shed 0, recorded 100; workers' clocks agree within 0.21 ms",
        ),
    ],
)
def test_the_summary_shows_every_shortfall(changed: dict[str, float], line: str) -> None:
    """Shed arrivals, requests that users did not send, and the error of the workers' clocks."""
    assert summary_lines(msgspec.structs.replace(COUNTS, **changed), Tally()) == [line]


def test_two_loads_do_not_share_a_file_of_records(tmp_path: Path) -> None:
    """Each counts its arrivals from 0: a file that is not empty is refused and kept."""
    path = tmp_path / "requests.jsonl"
    RecordFile(str(path)).close()
    first = RecordFile(str(path))
    first.write(b"{}\n")
    first.close()
    with pytest.raises(FileExistsError, match="holds the records of another load"):
        RecordFile(str(path))
    assert path.read_bytes() == b"{}\n"
