"""How long the evidence of a run takes to be read, measured and reported, at 10 thousand to a million requests.

``python -m benchmarks.analysis [--sizes 10000,100000,1000000] [--spans-per-request 1]``

Each size is a child process of its own, so that its peak memory is its own. The run folder is made by
DuckDB from a story like that of payments-slow: 70 % answered, the rest refused, timed out or turned away.
Spans lie as Parquet (decoding OTLP is measured apart, by ``--decode``).
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from aguante.collect.spans import write_traces
from aguante.events import (
    CollectorClosed,
    FaultChanged,
    LoadFinished,
    RunEvent,
    RunStarted,
    Settled,
)
from aguante.measure import measure
from aguante.plan import Plan
from aguante.planner import build_plan
from aguante.report import write_reports
from aguante.runfolder import RunFolder
from aguante.spec import Experiment, load_experiment
from aguante.testbed import TestbedSpec
from aguante.testbed_file import load_testbed
from aguante.verdict import judge

ROOT = Path(__file__).parents[1]
T0_NS = 1_700_000_000_000_000_000
LENGTH_S = 30.0

_RECORDS = """
COPY (
    WITH arrivals AS (
        SELECT i AS seq, i * $length_s / $n AS at_s, i % 4 = 3 AS reads, hash(i) % 1000 / 100 AS noise
        FROM range($n) AS t(i)
    ), told AS (
        SELECT *, CASE WHEN at_s < 8 OR at_s >= 21.5 OR reads THEN 200 WHEN at_s < 9 THEN 504
                       WHEN at_s < 11 THEN 429 ELSE 503 END AS status FROM arrivals
    )
    SELECT seq, CASE WHEN reads THEN 'read_event' ELSE 'reserve' END AS operation, at_s AS intended_s,
           at_s + 0.001 AS started_s, CASE status WHEN 504 THEN 3010 ELSE 20 END + noise AS latency_ms,
           status, CASE status WHEN 200 THEN '' WHEN 429 THEN 'gateway' ELSE 'reservations' END AS origin,
           CASE WHEN status IN (503, 504) THEN 'reservations-payments' ELSE '' END AS link,
           CASE status WHEN 200 THEN '' WHEN 429 THEN 'semaphore_full' WHEN 504 THEN 'timeout'
                ELSE 'breaker_open' END AS mechanism,
           status <> 200 AS definite, false AS settled, lpad(to_hex(seq), 32, '0') AS trace_id,
           'key-' || seq AS idempotency_key, 'r-' || seq AS reservation_id, 'event-1' AS event_id
    FROM told
) TO '{target}' (FORMAT json)
"""
_SPANS = """
COPY (
    SELECT r.trace_id, lpad(to_hex(r.seq * 16 + k), 16, '0') AS span_id, '' AS parent_id,
           CASE k % 2 WHEN 0 THEN 'reservations' ELSE 'gateway' END AS service, 'x-1' AS instance,
           'POST /pay' AS name, CASE k % 2 WHEN 0 THEN 'client' ELSE 'server' END AS kind,
           ($t0 + r.intended_s * 1e9)::BIGINT AS start_ns,
           ($t0 + (r.intended_s + r.latency_ms / 1000) * 1e9)::BIGINT AS end_ns,
           'unset' AS status, r.mechanism AS error_type,
           CASE k % 2 WHEN 0 THEN 'reservations-payments' ELSE '' END AS link, 1 AS attempt,
           r.status AS http_status, '' AS route, r.origin, '' AS error_link, r.reservation_id,
           '' AS run_id, '' AS experiment, '' AS phase, '' AS db_system, '[]' AS events, '[]' AS links
    FROM read_json($records, format = 'newline_delimited') AS r, range($per) AS s(k)
) TO '{target}' (FORMAT parquet)
"""


def write_run(folder: RunFolder, requests: int, spans_per_request: int) -> None:
    """A run folder with this many records and spans; its tables are empty."""
    with duckdb.connect() as db:
        told: dict[str, object] = {"n": requests, "length_s": LENGTH_S}
        db.execute(_RECORDS.replace("{target}", str(folder.records)), told)
        told = {"t0": T0_NS, "records": str(folder.records), "per": spans_per_request}
        db.execute(_SPANS.replace("{target}", str(folder.spans)), told)
    folder.events.write_text("".join(f"{each.model_dump_json()}\n" for each in _events(requests)))


def _events(requests: int) -> list[RunEvent]:
    times = {"applied": 8.0, "undone": 20.0, "verified": 20.0}
    return [
        RunStarted(epoch_ns=T0_NS),
        *(
            FaultChanged.model_validate(
                {"id": "slow", "action": action, "planned_s": at_s, "at_s": at_s}
            )
            for action, at_s in times.items()
        ),
        LoadFinished(offered=requests, sent=requests, shed=0, completed=requests, exit_code=0),
        Settled(settled=True, took_s=1.0, unsettled=0),
        CollectorClosed(requests=1, bytes=1, spans_dropped=0),
    ]


def planned(requests: int) -> tuple[Plan, Experiment, TestbedSpec]:
    """payments-slow at the rate that gives this many requests in 30 s."""
    spec = load_testbed(ROOT / "testbed.yaml")
    experiment = load_experiment(ROOT / "chaos-experiments" / "payments-slow.yaml", spec)
    plan = build_plan(experiment, spec, run_id="analysis", seed=1, source="payments-slow.yaml")
    load = plan.load.model_copy(update={"rate_rps": requests / LENGTH_S})
    return plan.model_copy(update={"load": load}), experiment, spec


def analyse_once(folder: RunFolder, requests: int) -> dict[str, float]:
    """CPU seconds of each step (all threads), wall seconds in all, and this process's peak memory in MB."""
    plan, experiment, spec = planned(requests)
    marks = [("start", time.process_time())]
    began = time.perf_counter()

    def done(step: str) -> None:
        marks.append((step, time.process_time()))

    write_traces(folder, plan)
    done("traces")
    measures = measure(folder, plan, experiment, spec)
    done("measure")
    verdict = judge(plan, experiment, measures)
    for path, value in (
        (folder.plan, plan),
        (folder.measures, measures),
        (folder.verdict, verdict),
    ):
        path.write_text(value.model_dump_json())
    done("judge")
    write_reports(folder)
    done("report")
    steps: dict[str, float] = {
        marks[at][0]: marks[at][1] - marks[at - 1][1] for at in range(1, len(marks))
    }
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wall = time.perf_counter() - began
    steps["cpu"] = sum(steps.values())
    return steps | {"wall": wall, "peak_mb": peak_mb}


def in_a_child(requests: int, spans_per_request: int) -> dict[str, float]:
    """One size, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder.create(Path(folder), "analysis")
        write_run(run, requests, spans_per_request)
        argv = [
            sys.executable,
            "-m",
            "benchmarks.analysis",
            "--only",
            folder,
            "--sizes",
            str(requests),
        ]
        done = subprocess.run(
            argv, check=True, capture_output=True, text=True, timeout=300, cwd=ROOT
        )
        seconds: dict[str, float] = json.loads(done.stdout)
    return seconds


def main() -> None:
    """Print a line per size; the last column shows whether cost grows in proportion."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--spans-per-request", type=int, default=2)
    parser.add_argument("--only", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = [int(each) for each in options.sizes.split(",")]
    if options.only:
        sys.stdout.write(json.dumps(analyse_once(RunFolder(options.only / "analysis"), sizes[0])))
        return
    columns = ("traces", "measure", "report", "cpu", "wall")
    sys.stdout.write(
        "  requests      spans " + "".join(f"{c:>9}" for c in columns) + "   peak MB  us/request\n"
    )
    for size in sizes:
        took = in_a_child(size, options.spans_per_request)
        cells = "".join(f"{took[column]:8.2f}s" for column in columns)
        per = took["cpu"] / size * 1e6
        spans = size * options.spans_per_request
        sys.stdout.write(f"{size:10,} {spans:10,} {cells} {took['peak_mb']:9.0f} {per:11.1f}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
