"""How long the evidence of a run takes to be read, measured, judged and reported, at 10 thousand to a million requests.

    python -m benchmarks.analysis [--sizes 10000,100000,1000000] [--spans-per-request 2] [--tables] [--rounds 3]
    python -m benchmarks.analysis --decode 100000

Each round is a child process of its own, so that its peak memory is its own; a line is the median of its
rounds. The run folder is made by DuckDB from a story like that of payments-slow: 56 % answered, the rest
refused, timed out or turned away; every refusal has its span event. What is in it:

- requests.jsonl, one RequestRecord a line (326 bytes each);
- spans.parquet, the same number of spans for each request (the real system makes about 13 for a reservation);
- with --tables the databases at the end: a saga with four log lines, an outbox row, an allocation and a
  charge for each reservation, on which every invariant of testbed.yaml is judged; else they are empty.

Time begins after the imports, as in a run. Decoding the raw OTLP bodies into spans.parquet comes before it
and is measured by itself (--decode).
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from aguante.collect.span_decoder import decode_spans
from aguante.report.analyse import FrozenRun, analyse
from aguante.run_folder.folder import RunFolder
from benchmarks.analysis_runs import otlp_bodies, planned, write_run

ROOT = Path(__file__).parents[1]


def analyse_once(folder: RunFolder, requests: int) -> dict[str, float]:
    """CPU seconds of each step (all threads), wall seconds in all, and this process's peak memory in MB."""
    plan, spec = planned(requests)
    folder.traces.unlink(missing_ok=True)  # as in a run that is judged for the first time
    began, began_cpu = time.perf_counter(), time.process_time()
    judged = analyse(FrozenRun(folder, plan, spec))
    measured = time.process_time()
    judged.write()
    ended = time.process_time()
    return {
        "measure": measured - began_cpu,
        "report": ended - measured,
        "cpu": ended - began_cpu,
        "wall": time.perf_counter() - began,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def in_a_child(folder: Path, requests: int) -> dict[str, float]:
    """One round, in a process of its own."""
    argv = [sys.executable, "-m", "benchmarks.analysis", "--only", str(folder)]
    argv += ["--sizes", str(requests)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=300, cwd=ROOT)
    seconds: dict[str, float] = json.loads(done.stdout)
    return seconds


def medians(requests: int, options: argparse.Namespace) -> dict[str, float]:
    """Of each figure, over all rounds of one size."""
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder.create(Path(folder), "analysis")
        write_run(run, requests, options.spans_per_request, with_tables=options.tables)
        rounds = [in_a_child(Path(folder), requests) for _ in range(options.rounds)]
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def print_sizes(options: argparse.Namespace) -> None:
    """A line per size; the last column is the cost of each further request against the step before."""
    columns = ("measure", "report", "cpu", "wall")
    heads = "".join(f"{name:>9}" for name in columns)
    write = sys.stdout.write
    write(f"  requests      spans {heads}   peak MB   us/further request\n")
    before, cost = (0, 0.0), 0.0
    for size in map(int, options.sizes.split(",")):
        took = medians(size, options)
        cells = "".join(f"{took[column]:8.2f}s" for column in columns)
        further = (took["cpu"] - before[1]) / (size - before[0]) * 1e6
        ratio = f"  x{further / cost:.2f}" if cost and before[0] else ""
        write(f"{size:10,} {size * options.spans_per_request:10,} {cells} {took['peak_mb']:9.0f} ")
        write(f"{further:10.1f}{ratio}\n")
        sys.stdout.flush()
        before, cost = (size, took["cpu"]), further


def print_decoding(spans: int) -> None:
    """CPU and wall seconds of decoding so many spans, and the peak memory of this process."""
    with tempfile.TemporaryDirectory() as root:
        folder = RunFolder.create(Path(root), "analysis")
        with folder.otlp.open("wb") as file:
            file.writelines(otlp_bodies(spans))
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        decoded = decode_spans(folder).spans
        cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(
        f"{decoded:,} spans decoded: {cpu_s:.1f} CPU-s, {wall_s:.1f} s, {peak_mb:.0f} MB peak,"
        f" {cpu_s / decoded * 1e6:.1f} us each\n"
    )


def main() -> None:
    """Print what was asked for, with the machine's load: figures of a busy machine are of little worth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--spans-per-request", type=int, default=2)
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--decode", type=int, metavar="SPANS")
    parser.add_argument("--only", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        only = analyse_once(RunFolder(options.only / "analysis"), int(options.sizes))
        sys.stdout.write(json.dumps(only))
        return
    sys.stdout.write(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.2f}\n")
    if options.decode:
        print_decoding(options.decode)
    else:
        print_sizes(options)


if __name__ == "__main__":
    main()
