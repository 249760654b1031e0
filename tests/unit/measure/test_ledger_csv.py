"""The client's ledger as CSV."""

import csv
from pathlib import Path

import msgspec
import pytest

from aguante.load_protocol.records import RequestRecord
from aguante.measure.audit.ledger_csv import write_csv
from aguante.run_folder.run_log import EvidenceError


def row(seq: int, intended_s: float, status: int, latency_ms: float, **more: object) -> bytes:
    values = {"seq": seq, "operation": "reserve", "started_s": intended_s, **more}
    made = RequestRecord(intended_s=intended_s, latency_ms=latency_ms, status=status, **values)
    return msgspec.json.encode(made) + b"\n"


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_requests_are_in_order_of_intended_start_whoever_sent_them(tmp_path: Path) -> None:
    """Two workers record requests as responses arrive; the table has one time axis."""
    ledger = tmp_path / "requests.jsonl"
    ledger.write_bytes(
        row(3, 0.3, 200, 5, worker=1) + row(0, 0.0, 504, 3000) + row(1, 0.1, 200, 9, worker=1)
    )
    requests, _ = write_csv(ledger, tmp_path)
    assert [(each["seq"], each["worker"]) for each in read(requests)] == [
        ("0", "0"),
        ("1", "1"),
        ("3", "1"),
    ]
    assert set(read(requests)[0]) == {f.name for f in msgspec.structs.fields(RequestRecord)}


def test_the_summary_has_a_line_per_operation_and_outcome(tmp_path: Path) -> None:
    """Counts, the share of its operation, and percentiles: 3 of 4 reserves 200 with p50 20 ms, one 504."""
    ledger = tmp_path / "requests.jsonl"
    ledger.write_bytes(
        b"".join(row(n, n / 10, 200, 10.0 * (n + 1)) for n in range(3))
        + row(3, 0.3, 504, 3000, origin="reservations", mechanism="timeout")
        + row(4, 0.4, 200, 7, operation="read_event")
    )
    _, summary = write_csv(ledger, tmp_path)
    found = [
        (e["operation"], e["status"], e["mechanism"], e["requests"], e["share_of_operation"], e["p50_ms"])
        for e in read(summary)
    ]  # fmt: skip
    assert found == [
        ("read_event", "200", "", "1", "1.0", "7.0"),
        ("reserve", "200", "", "3", "0.75", "20.0"),
        ("reserve", "504", "timeout", "1", "0.25", "3000.0"),
    ]


def test_a_damaged_ledger_is_an_error(tmp_path: Path) -> None:
    """The message has the file's name and DuckDB's reason."""
    ledger = tmp_path / "requests.jsonl"
    ledger.write_text("no json\n")
    with pytest.raises(EvidenceError, match=r"requests\.jsonl: cannot be written as CSV"):
        write_csv(ledger, tmp_path)
