"""Explaining a run from its folder alone: the claim, what was around it, and one request through all parts."""

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from run_folders import judged
from synthetic_run import T0_NS

from aguante.cli import main as cli
from aguante.expectations.rate import Rate
from aguante.expectations.recovery import Recovery
from aguante.expectations.registry import Clause
from aguante.load_protocol.records import RequestRecord
from aguante.plan.plan import Plan
from aguante.report.analyse import FrozenRun, JudgedRun
from aguante.report.explain import Question, UnknownSubjectError, explain, parse_question
from aguante.report.explain.question import first_unmet, worst_second
from aguante.report.explain.question_window import asked_window
from aguante.report.stored_run import read_frozen, read_judged
from aguante.run_folder.events import FaultChanged
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.run_log import RunLog

LINK = "reservations-payments"


def run_of(folder: RunFolder) -> tuple[FrozenRun, JudgedRun]:
    return read_frozen(folder.root), read_judged(folder.root)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Everything as expected, with a log line and a row of the saga's log for the first timeout."""
    folder = judged(tmp_path_factory.mktemp("held"))
    stamp = "2023-11-14T22:13:29.500+00:00"  # T0_NS is 22:13:20: 9.5 s after t0
    assert T0_NS == 1_700_000_000_000_000_000
    line = {"time": stamp, "level": "WARNING", "message": "giving up", "trace_id": f"{480:032x}"}
    other = {**line, "trace_id": f"{481:032x}", "message": "another one"}
    (folder.logs / "reservations-1.log").write_text(
        f"{json.dumps(line)}\nno json\n{json.dumps(other)}\n"
    )
    (folder.tables / "reservations.saga_log.csv").write_text(
        "reservation_id,version,at,from_state,to_state,reason\n"
        "r-480,2,2023-11-14 22:13:31.25+00,RESERVED,COMPENSATING,payment timed out\n"
        "r-4,2,2023-11-14 22:13:31.25+00,RESERVED,CHARGED,paid\n"
    )
    return folder


@pytest.fixture(scope="module")
def deviated(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Reads go on failing with 429 through the whole fault: expectation 4 is unmet."""

    def change(record: RequestRecord) -> RequestRecord:
        if record.operation == "read_event" and 14.5 <= record.intended_s < 20:
            return RequestRecord(
                seq=record.seq,
                operation="read_event",
                intended_s=record.intended_s,
                started_s=record.started_s,
                latency_ms=2.0,
                status=429,
                origin="gateway",
                mechanism="semaphore_full",
                trace_id=record.trace_id,
            )
        return record

    return judged(tmp_path_factory.mktemp("deviated"), change=change)


def test_a_request_is_followed_through_all_parts_in_order(held: RunFolder) -> None:
    """Client, fault, spans, saga rows and logs on one axis; nothing of another request."""
    run, found = run_of(held)
    text = explain(run, found, Question(id="r-480"))
    lines = [line for line in text.splitlines() if line[:12].strip().replace(".", "").isdigit()]
    times = [float(line[:12]) for line in lines]
    assert times == sorted(times)
    for words in (
        "client                    sends reserve (request 480)",
        "fault                     slow applied: toxic latency on reservations-payments",
        f"reservations-1            calls POST /pay on {LINK}: timeout after 3000 ms",
        "reservations-1            logs WARNING: giving up",
        "reservations.saga_log     RESERVED -> COMPENSATING: payment timed out",
        f"breaker                   {LINK} of reservations-1: closed -> open",
        f"504 timeout from reservations on {LINK}",
    ):
        assert words in text, words
    assert "another one" not in text
    assert "CHARGED: paid" not in text


@pytest.mark.parametrize("wanted", [f"{480:032x}", "r-480", "key-480"])
def test_a_request_is_found_by_trace_reservation_or_key(held: RunFolder, wanted: str) -> None:
    """Whatever stands in a log or an answer."""
    run, found = run_of(held)
    assert "sends reserve (request 480)" in explain(run, found, Question(id=wanted))


def test_the_first_unmet_expectation_is_explained_without_being_asked(deviated: RunFolder) -> None:
    """What it claims, the seconds of its window, and a request that speaks against it."""
    run, found = run_of(deviated)
    assert first_unmet(found.verdict) == 4
    text = explain(run, found, Question())
    assert re.search(r"Expectation 4 \(\S*payments-slow\.yaml:\d+\)", text)
    assert "is unmet" in text
    assert "A request that counts against it:" in text
    assert "read_event in fault: 429 semaphore_full from gateway" in text
    seconds = [line.split()[0] for line in text.splitlines() if " x " in line]
    assert seconds == ["14", "15", "16", "17", "18", "19"]


def test_a_met_expectation_shows_a_request_that_it_counts(held: RunFolder) -> None:
    """The 504s of expectation 2."""
    run, found = run_of(held)
    text = explain(run, found, Question(expectation=2))
    assert "is met" in text
    assert "reserve in fault: 504 timeout" in text


@pytest.fixture(scope="module")
def not_back(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Every request from 21 s on fails with 500: the fault, lifted at 20 s, is survived by nobody."""

    def change(record: RequestRecord) -> RequestRecord:
        if record.intended_s < 21:
            return record
        return RequestRecord(
            seq=record.seq,
            operation=record.operation,
            intended_s=record.intended_s,
            started_s=record.started_s,
            latency_ms=2.0,
            status=500,
            trace_id=record.trace_id,
        )

    return judged(tmp_path_factory.mktemp("not_back"), change=change)


def test_a_recovery_is_explained_from_the_last_faults_end_on(not_back: RunFolder) -> None:
    """There it was asked for: its seconds, and a request that failed in them, not one of the fault."""
    run, found = run_of(not_back)
    assert found.verdict.expectations[6].outcome == "unmet"
    text = explain(run, found, Question(expectation=7))
    seconds = [int(line.split()[0]) for line in text.splitlines() if " x " in line]
    assert seconds == list(range(20, 30))
    assert "Responses by second (from the end of the last fault):" in text
    assert "in recovery: 500" in text


PARTS = {
    "rate: {phase: fault, after_s: 6.5, before_s: 8, status: 200, min: 0.5}": (14.5, 16),
    "goodput: {phase: recovery, min_of_baseline: 0.9}": (20, 30),
    "attribution: {phase: baseline, min: 0.9}": (2, 8),
    "attribution: {min: 0.9}": (0, 30),
    "amplification: {link: reservations-payments, max: 1.1}": (0, 30),
    "achieved: {min: 0.9}": (0, 30),
    "recovery: {within_s: 5}": (19.5, 30),
    "detection: {within_s: 5}": (8.25, 19.5),
    "breaker: {link: reservations-payments, opens_within_s: 5}": (8.25, 19.5),
    "breaker: {link: reservations-payments, closes_within_s: 5}": (19.5, 30),
    "breaker: {link: reservations-payments, opens_within_s: 5, closes_within_s: 5}": (8.25, 30),
}
FACTS = RunLog(
    faults=(
        FaultChanged(id="slow", action="applied", planned_s=8, began_s=8.25, at_s=8.5),
        FaultChanged(id="slow", action="undone", planned_s=20, at_s=19.5),
    )
)


@pytest.mark.parametrize("text", PARTS)
def test_each_kind_has_the_window_that_it_is_judged_by(text: str, slow_plan: Plan) -> None:
    """Phases by the plan, faults by when they really began and ended."""
    (asked,) = YAML(typ="safe", pure=True).load(f"- {text}")
    window = asked_window(Clause.model_validate(asked).expectation, slow_plan, FACTS)
    assert window
    assert (window.start_s, window.end_s) == PARTS[text]


def test_what_a_run_has_not_is_said(slow_plan: Plan) -> None:
    """A recovery without a fault, and a phase that the plan leaves out, have no window."""
    quiet = slow_plan.model_copy(update={"faults": (), "phases": slow_plan.phases[:2]})
    assert asked_window(Recovery(within_s=5), quiet, FACTS) is None
    assert asked_window(Rate(phase="recovery", status=200, min=0.5), quiet, FACTS) is None


def test_every_expectation_can_be_explained(held: RunFolder, deviated: RunFolder) -> None:
    """Each kind, met or not: no question of the file is without an answer."""
    for folder in (held, deviated):
        run, found = run_of(folder)
        for number in range(1, len(found.verdict.expectations) + 1):
            assert f"Expectation {number} (" in explain(run, found, Question(expectation=number))


def test_where_all_is_met_the_worst_second_is_explained(held: RunFolder) -> None:
    """The first second without a single 200, with its most frequent failure."""
    run, found = run_of(held)
    second = worst_second(found.measures)
    assert second is not None
    met = found.verdict.model_copy(
        update={
            "expectations": tuple(
                e.model_copy(update={"outcome": "met"}) for e in found.verdict.expectations
            )
        }
    )
    text = explain(run, JudgedRun(found.folder, found.plan, found.measures, met), Question())
    assert f"The worst second begins at {second} s" in text
    assert "The request:" in text


@pytest.mark.parametrize(
    ("words", "question"),
    [
        ((), Question()),
        (("3",), Question(expectation=3)),
        (("expectation", "12"), Question(expectation=12)),
        (("reservation", "ab12"), Question(id="ab12")),
        (("trace", "0123"), Question(id="0123")),
        (("1648b4b1",), Question(id="1648b4b1")),
        (("16480000",), Question(id="16480000")),
    ],
)
def test_a_question_is_read_from_words(words: tuple[str, ...], question: Question) -> None:
    """A short number is an expectation, anything else an id."""
    assert parse_question(words) == question


@pytest.mark.parametrize("words", [("expectation",), ("expectation", "x"), ("a", "b"), ("trace",)])
def test_a_question_that_makes_no_sense_is_said(words: tuple[str, ...]) -> None:
    """With what could be asked."""
    with pytest.raises(UnknownSubjectError, match=r"give|expected"):
        parse_question(words)


@pytest.mark.parametrize("words", [("expectation", "99"), ("trace", "nosuch")])
def test_what_the_run_does_not_have_is_wrong_usage(
    held: RunFolder, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["explain", str(held.root), *words])
    assert ended.value.code == 3
    assert words[-1] in capsys.readouterr().err


def test_the_latest_run_is_meant_where_none_is_named(
    held: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also before a question."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["explain", "--runs", str(held.root.parent), "expectation", "2"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(held.root.name)


def test_a_run_without_spans_is_explained_by_what_there_is(tmp_path: Path) -> None:
    """Client, fault and rows are still known."""
    run, found = run_of(judged(tmp_path, with_spans=False))
    text = explain(run, found, Question(id="r-480"))
    assert "gets its response after" in text
    assert "payments.charges" not in text  # this table has no time
