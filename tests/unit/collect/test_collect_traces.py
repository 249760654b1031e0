"""Which traces are sampled."""

import json
from pathlib import Path

import msgspec
from otlp_bodies import body, folder_with, frame, span
from shop import read_shop

from aguante.collect.span_decoder import decode_spans
from aguante.load_protocol.records import RequestRecord
from aguante.measure import sampled_traces as kept
from aguante.measure.run_evidence import open_evidence
from aguante.measure.sampled_traces import FAILING_PER_CAUSE, GOOD_PER_PHASE
from aguante.plan.plan import Plan, PlannedLoad, PlannedSetup, Window
from aguante.run_folder.folder import RunFolder

PLAN = Plan(
    run_id="r",
    experiment="e",
    title="t",
    learn="l",
    source="e.yaml",
    policy="default",
    seed=9,
    setup=PlannedSetup(events=10, capacity=1000),
    expect=(),
    phases=(
        Window(phase="baseline", start_s=0.0, end_s=10.0),
        Window(phase="fault", start_s=10.0, end_s=20.0),
    ),
    faults=(),
    load=PlannedLoad(profile="mixed", rate_rps=10, duration_s=20, mix=(("reserve", 1.0),)),
)


def row(seq: int, status: int = 200) -> RequestRecord:
    return RequestRecord(
        seq=seq,
        operation="reserve",
        intended_s=seq / 10,
        started_s=seq / 10,
        latency_ms=1.0,
        status=status,
        mechanism="" if status == 200 else "timeout",
        trace_id=f"{seq:032x}",
    )


def run_folder(tmp_path: Path, rows: list[RequestRecord], traced: list[int]) -> RunFolder:
    spans = [span(seq * 2 + n + 1, trace=seq) for seq in traced for n in (0, 1)]
    folder = folder_with(tmp_path, frame(body(*spans)))
    folder.records.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    decode_spans(folder)
    return folder


def write_traces(folder: RunFolder) -> int:
    evidence = open_evidence(folder, PLAN, read_shop())
    try:
        return kept.write_traces(evidence, folder.traces)
    finally:
        evidence.connection.close()


def traces(folder: RunFolder) -> list[dict[str, object]]:
    return [json.loads(line) for line in folder.traces.read_text().splitlines()]


def test_every_failing_trace_is_kept_whole(tmp_path: Path) -> None:
    """All spans of a failure, in order of start, with the client's result."""
    rows = [row(seq, 504 if seq % 2 else 200) for seq in range(1, 101)]
    folder = run_folder(tmp_path, rows, traced=list(range(1, 101)))
    write_traces(folder)
    failing = [trace for trace in traces(folder) if trace["status"] != 200]
    assert [trace["seq"] for trace in failing] == list(range(1, 101, 2))
    first = failing[0]
    assert (first["phase"], first["status"], first["mechanism"]) == ("baseline", 504, "timeout")
    assert [one["span_id"] for one in first["spans"]] == [f"{3:016x}", f"{4:016x}"]  # type: ignore[attr-defined]
    assert first["spans"][0]["events"] == []  # type: ignore[index]


def test_good_traces_are_twenty_a_phase_spread_over_it(tmp_path: Path) -> None:
    """They are spread over the phase, and are not the first twenty."""
    folder = run_folder(tmp_path, [row(seq) for seq in range(200)], traced=[1, 2])
    assert write_traces(folder) == 2 * GOOD_PER_PHASE
    fault = [int(str(trace["seq"])) for trace in traces(folder) if trace["phase"] == "fault"]
    assert fault == list(range(100, 200, 5))


def test_of_very_many_failures_each_cause_keeps_some_and_says_of_how_many(tmp_path: Path) -> None:
    """A frequent cause does not displace the others; the Parquet file has all spans."""
    many = 2 * FAILING_PER_CAUSE + 500
    rows = [row(seq, 504) for seq in range(1, 4)] + [row(seq, 503) for seq in range(4, 4 + many)]
    moved = [msgspec.structs.replace(each, intended_s=10 + each.seq / 1e4) for each in rows]
    folder = run_folder(tmp_path, moved, traced=[1, 4])
    assert write_traces(folder) == FAILING_PER_CAUSE + 3
    written = traces(folder)
    assert [(one["status"], one["stands_for"]) for one in written[:3]] == [(504, 1)] * 3
    flood = [one for one in written if one["status"] == 503]
    assert {one["stands_for"] for one in flood} == {2, 3}
    assert sum(int(str(one["stands_for"])) for one in flood) == many
    assert int(str(flood[-1]["seq"])) > many - 3


def test_a_failure_whose_trace_never_came_is_kept_without_spans(tmp_path: Path) -> None:
    """A request that never arrived has no spans, which is evidence too."""
    folder = run_folder(tmp_path, [row(1, 0)], traced=[2])
    write_traces(folder)
    (trace,) = traces(folder)
    assert (trace["seq"], not trace["spans"]) == (1, True)


def test_an_incomplete_last_record_is_ignored(tmp_path: Path) -> None:
    """The generator may have been killed while writing it."""
    folder = run_folder(tmp_path, [row(1, 504)], traced=[1])
    with folder.records.open("ab") as file:
        file.write(b'{"seq":2,"status":5')
    assert write_traces(folder) == 1


def test_a_run_without_records_has_no_traces(tmp_path: Path) -> None:
    """A run that stops before the first request has an empty file."""
    folder = folder_with(tmp_path, b"")
    decode_spans(folder)
    assert write_traces(folder) == 0
    assert folder.traces.read_bytes() == b""
