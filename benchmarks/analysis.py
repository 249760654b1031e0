"""How long it takes to read, measure, judge and report the evidence of a run of 10,000 to 1,000,000 requests.

    python -m benchmarks.analysis [--sizes 10000,100000,1000000] [--spans-per-request 2] [--tables] [--rounds 3]
    python -m benchmarks.analysis --decode 100000

Each round runs in a child process, so that its peak memory can be measured; a line shows the median of its
rounds. DuckDB generates the run folder with the proportions of payments-slow: 56 % succeed, the rest are
rejected or time out; every rejection has its span event. It contains:

- requests.jsonl, one RequestRecord per line (326 bytes each);
- spans.parquet, the same number of spans per request (a real reservation has about 13);
- with --tables the final databases: per reservation a saga with four log lines, an outbox row, an allocation
  and a charge, on which every invariant of testbed.yaml is judged; without it they are empty.

Time counts from after the imports, as in a run. Decoding raw OTLP bodies into spans.parquet is measured
separately (--decode).
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
    """Run one round in a child process."""
    argv = [sys.executable, "-m", "benchmarks.analysis", "--only", str(folder)]
    argv += ["--sizes", str(requests)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=300, cwd=ROOT)
    seconds: dict[str, float] = json.loads(done.stdout)
    return seconds


def medians(requests: int, options: argparse.Namespace) -> dict[str, float]:
    """The median of each figure over all rounds of one size."""
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder.create(Path(folder), "analysis")
        write_run(run, requests, options.spans_per_request, with_tables=options.tables)
        rounds = [in_a_child(Path(folder), requests) for _ in range(options.rounds)]
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def print_sizes(options: argparse.Namespace) -> None:
    """Print a line per size; the last column compares the cost of a further request with the previous size."""
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
    """Print CPU and wall seconds of decoding this many spans, and the peak memory of this process."""
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
    """Print the machine's load average and the requested figures."""
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
