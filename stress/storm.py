"""The storm: reservations on the real testbed while links break and services are killed; nothing may be lost.

    python -m stress.storm [--reservations N] [--kills K] [--seed S] [--policy P]

The seed is printed first. It fixes the orders, the toxics and the kills, but not how they interleave: two storms
of one seed differ in timing. Exit code 0: every invariant holds. 1: an invariant is broken, or the storm proves
too little; its folder (ledger, tables, logs) is kept.
"""

import argparse
import asyncio
import secrets
import shutil
import sys
import time
from pathlib import Path

from aguante.collect.database_dump import DumpError
from aguante.drivers.driver import FaultError
from aguante.run_folder.folder import RunFolder
from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.testbed.runtime import TestbedError
from aguante.testbed.testbed_file import load_testbed
from stress.report import report_text
from stress.storm_run import Storm, StormError, StormOptions

ROOT = Path(__file__).parents[1]
RATE_RPS = 10.0
"""At this rate 2,000 orders take about as long as 50 kills between pay and confirm."""
KILL_S = 12.0
"""The average time allowed per counted kill: four times what it takes on two idle cores."""


def main(arguments: list[str] | None = None) -> int:
    """Run a storm, print its result and return the exit code."""
    options = _parser().parse_args(arguments)
    wanted = storm_options(options)
    print(f"storm of seed {wanted.seed}: {_command(wanted)}", flush=True)
    run_id = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-storm-{wanted.seed}-{secrets.token_hex(2)}"
    folder = RunFolder.create(options.runs, run_id)
    spec = load_testbed(ROOT / "testbed.yaml")
    storm = Storm(wanted, spec, folder, NativeRuntime(), lambda line: print(line, flush=True))
    held = False
    try:
        result = asyncio.run(storm.run())
        print(report_text(result))
        held = not result.objections
    except* (StormError, TestbedError, FaultError, DumpError) as group:
        for error in group.exceptions:
            print(f"BROKEN: seed {wanted.seed}: {error}")
    finally:
        if held and not options.keep:
            shutil.rmtree(folder.root)
        else:
            print(f"ledger, tables and logs are kept in {folder.root}")
    return 0 if held else 1


def storm_options(options: argparse.Namespace) -> StormOptions:
    """The options of the command line, with a random seed when none was given."""
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    limit_s = options.limit or (
        120 + 2 * options.reservations / options.rate + options.kills * KILL_S
    )
    return StormOptions(
        seed, options.reservations, options.kills, options.rate, limit_s, options.policy
    )


def _command(wanted: StormOptions) -> str:
    return (
        f"python -m stress.storm --seed {wanted.seed} --reservations {wanted.reservations} "
        f"--kills {wanted.kills_between} --rate {wanted.rate_rps:g} --policy {wanted.policy}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stress.storm", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--reservations", type=int, default=2_000, metavar="N", help="play at least N orders"
    )
    parser.add_argument(
        "--kills",
        type=int,
        default=50,
        metavar="K",
        help="at least K kills between pay and confirm",
    )
    parser.add_argument(
        "--seed", type=int, help="replay this seed (default: a random one, which is printed)"
    )
    parser.add_argument(
        "--rate", type=float, default=RATE_RPS, metavar="RPS", help="orders per second"
    )
    parser.add_argument("--limit", type=float, metavar="S", help="give up after S seconds")
    parser.add_argument(
        "--policy", default="default", help="a policy of policies/ (default: %(default)s)"
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), help="the parent of the storm's folder"
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep the folder even when the storm held"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
