"""How soon the system itself shows a fault, and statuses by class: worked examples on small ledgers."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from aguante.expectations.detection import Detection
from aguante.expectations.expectation import Expectation
from aguante.expectations.latency import Latency
from aguante.expectations.measurement import Measurement
from aguante.expectations.rate import Rate
from aguante.load_protocol.records import RequestRecord
from aguante.measure.run_evidence import open_evidence
from aguante.plan.plan import Plan
from aguante.run_folder.events import CollectorClosed, FaultChanged, RunStarted
from aguante.run_folder.folder import RunFolder
from aguante.testbed.testbed_spec import TestbedSpec

Ask = Callable[..., Measurement]
FAULT_S = 8.0
"""When the fault phase of the plan begins."""


def row(
    seq: int, intended_s: float, status: int, latency_ms: float = 10.0, link: str = ""
) -> RequestRecord:
    return RequestRecord(
        seq=seq, operation="reserve", intended_s=intended_s, started_s=intended_s, latency_ms=latency_ms,
        status=status, origin="" if status == 200 else "reservations", link=link,
        mechanism="" if status == 200 else "timeout",
    )  # fmt: skip


@pytest.fixture
def ask(tmp_path: Path, slow_plan: Plan, shop: TestbedSpec) -> Ask:
    """Asks one question of a ledger of these rows; the fault began on time."""

    def asked(question: Expectation, *rows: RequestRecord, dropped: int = 0) -> Measurement:
        folder = RunFolder(tmp_path)
        folder.records.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in rows))
        fault = slow_plan.faults[0].id
        events = (
            RunStarted(epoch_ns=0),
            FaultChanged(id=fault, action="applied", planned_s=FAULT_S, at_s=FAULT_S),
            CollectorClosed(requests=1, bytes=1, spans_dropped=dropped),
        )
        folder.events.write_text("".join(each.model_dump_json() + "\n" for each in events))
        evidence = open_evidence(folder, slow_plan, shop)
        try:
            return question.measure(evidence)
        finally:
            evidence.connection.close()

    return asked


def test_a_fault_is_detected_when_the_first_failing_answer_arrives(ask: Ask) -> None:
    """Asked 1 s before the fault, answered 3.2 s later with 504: detected 2.2 s after the fault began."""
    seen = ask(Detection(within_s=3), row(0, 7.0, 504, 3200.0), row(1, 9.0, 504, 3000.0))
    assert seen.observed == pytest.approx(2.2)
    assert Detection(within_s=3).judge(seen).outcome == "met"
    assert Detection(within_s=2).judge(seen).outcome == "unmet"


def test_a_failure_before_the_fault_detects_nothing(ask: Ask) -> None:
    """What had arrived before cannot have told of it."""
    seen = ask(Detection(within_s=3), row(0, 7.0, 504, 500.0), row(1, 8.5, 200))
    assert seen.observed is None
    assert Detection(within_s=3).judge(seen).observed == "never"


def test_sold_out_and_declined_are_answers_of_the_business(ask: Ask) -> None:
    """409 and 402 are no outage; 429 and silence are."""
    business = (row(0, 9.0, 409), row(1, 9.1, 402))
    assert ask(Detection(within_s=3), *business).observed is None
    assert ask(Detection(within_s=3), *business, row(2, 9.5, 429)).observed == pytest.approx(1.51)
    assert ask(Detection(within_s=3), *business, row(2, 9.5, 0)).observed == pytest.approx(1.51)


def test_detection_on_a_link_leaves_other_links_out(ask: Ask) -> None:
    """Only failures that name the link count."""
    rows = (
        row(0, 9.0, 503, link="reservations-inventory"),
        row(1, 10.0, 503, link="reservations-payments"),
    )
    on = Detection(within_s=3, link="reservations-payments")
    assert ask(on, *rows).observed == pytest.approx(2.01)
    assert on.sentence() == "detection on reservations-payments <= 3 s"


def test_that_nothing_was_detected_is_unknown_where_spans_are_missing(ask: Ask) -> None:
    """A breaker may have opened in one of those that were dropped."""
    asked = Detection(within_s=3)
    assert asked.judge(ask(asked, row(0, 9.0, 200), dropped=3)).outcome == "unknown"


@pytest.mark.parametrize(
    ("status", "hits"),
    [(503, 1), ("5xx", 2), ([429, "5xx"], 3), ([200, 0], 2), (None, 5)],
)
def test_a_rate_counts_statuses_classes_and_lists(
    status: int | str | list[int | str] | None, hits: int, ask: Ask
) -> None:
    """``5xx`` is every status from 500 to 599; no answer is in no class."""
    rows = [row(at, 9.0, each) for at, each in enumerate((200, 503, 504, 429, 0))]
    asked = {"phase": "fault", "min": 0.1, "status": status}
    if status is None:
        asked |= {"mechanism": "timeout"}
        hits = 4
    assert ask(Rate.model_validate(asked), *rows).observed == pytest.approx(hits / 5)


def test_a_rate_says_its_statuses() -> None:
    """As they were written."""
    asked = Rate.model_validate({"phase": "fault", "status": [0, "5xx"], "max": 0.1})
    assert asked.sentence() == "rate of no answer or 5xx in fault <= 10 %"


@pytest.mark.parametrize(("key", "p"), [("p75_ms_max", 0.75), ("p99_9_ms_max", 0.999)])
def test_a_latency_may_ask_for_any_percentile(key: str, p: float) -> None:
    """The key names it; the point is an underscore."""
    asked = Latency.model_validate({"phase": "fault", key: 250})
    assert (asked.p, asked.max_ms) == (p, 250)
    assert asked.sentence() == f"p{p * 100:g} latency of 200 in fault <= 250 ms"
