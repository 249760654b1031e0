"""Live progress from records that are being written, and the plan for the generator."""

from pathlib import Path

import msgspec

from aguante.load.generator import RecordTail, build_load_plan
from aguante.load_protocol.records import RequestRecord
from aguante.plan.plan import Plan, PlannedLoad, PlannedSetup, Window
from aguante.run_folder.folder import RunFolder
from aguante.testbed.runtime import Testbed


def line(ended_s: float, status: int = 200) -> bytes:
    row = RequestRecord(
        seq=0,
        operation="reserve",
        intended_s=ended_s - 0.1,
        started_s=ended_s - 0.1,
        latency_ms=100.0,
        status=status,
    )
    return msgspec.json.encode(row) + b"\n"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_a_missing_file_has_no_records(tmp_path: Path) -> None:
    """The generator creates its file when it is ready; progress may be read before."""
    live = RecordTail(tmp_path / "requests.jsonl").poll(0.0)
    assert (live.completed, live.codes, live.achieved_rps) == (0, {}, 0.0)


def test_a_tail_counts_all_so_far_and_the_last_second_apart(tmp_path: Path) -> None:
    """Old responses stay in the total but not in the rate."""
    path = tmp_path / "requests.jsonl"
    tail = RecordTail(path)
    append(path, line(0.5) + line(0.6, 503) + line(0.7))
    assert tail.poll(1.0).achieved_rps == 3.0
    append(path, line(1.9, 0))
    live = tail.poll(2.0)
    assert live.codes == {"0": 1, "200": 2, "503": 1}
    assert (live.completed, live.achieved_rps) == (4, 1.0)


def test_an_incomplete_line_is_read_once_it_is_complete(tmp_path: Path) -> None:
    """A flush may end anywhere in a line, which is neither lost nor counted twice."""
    path = tmp_path / "requests.jsonl"
    tail = RecordTail(path)
    row = line(0.5)
    append(path, row + row[:20])
    assert tail.poll(1.0).completed == 1
    append(path, row[20:])
    assert tail.poll(1.0).completed == 2
    assert tail.poll(1.0).completed == 2


def test_without_a_time_the_last_second_ends_at_the_latest_response(tmp_path: Path) -> None:
    """The default horizon follows the records."""
    path = tmp_path / "requests.jsonl"
    append(path, line(0.5) + line(5.0) + line(5.5))
    assert RecordTail(path).poll().achieved_rps == 2.0


def test_the_load_plan_is_the_runs_plan_with_addresses(tmp_path: Path) -> None:
    """It has everything that the generator needs, and the path of its records."""
    plan = Plan(
        run_id="r",
        experiment="e",
        title="t",
        learn="l",
        source="e.yaml",
        policy="default",
        seed=9,
        setup=PlannedSetup(events=10, capacity=1000),
        expect=(),
        phases=(Window(phase="baseline", start_s=1.0, end_s=3.0),),
        faults=(),
        load=PlannedLoad(profile="mixed", rate_rps=60, duration_s=3, mix=(("reserve", 1.0),)),
    )
    testbed = Testbed(
        id="t",
        runtime="native",
        policy="default",
        gateway="http://127.0.0.1:6000",
        toxiproxy="",
        services=(),
        links=(),
        databases=(),
        servers={},
        state=tmp_path,
    )
    folder = RunFolder(tmp_path / "r")
    made = build_load_plan(plan, testbed, ["a", "b"], folder)
    assert (made.base_url, made.rate_rps, made.duration_s) == ("http://127.0.0.1:6000", 60, 3)
    assert (made.mix, made.phases) == ({"reserve": 1.0}, [("baseline", 1.0, 3.0)])
    assert (made.event_ids, made.seed, made.timeout_s) == (["a", "b"], 9, 7.0)
    assert made.records_path == str(folder.records)
