"""The storm: reservations on the real testbed while links break and services are killed; then nothing may be lost.

    python -m stress.storm [--reservations N] [--kills K] [--seed S] [--policy P]

The seed is printed first. It fixes who asks for what, which toxics come and who is killed; it cannot fix when
the machine does what, so two storms of one seed meet at different moments. Exit code 0: every invariant holds.
1: one does not, or the storm proves too little; its folder (ledger, tables, logs) is kept.
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
from stress.play import Storm, StormError, Wanted
from stress.telling import told

ROOT = Path(__file__).parents[1]
RATE_RPS = 10.0
"""At this rate 2,000 orders take about as long as 50 kills at the right moment."""
KILL_S = 12.0
"""What a counted kill may take on average: four times what it does on two cores that have nothing else to do."""


def main(arguments: list[str] | None = None) -> int:
    """Play a storm and print what it came to; the exit code."""
    options = _parser().parse_args(arguments)
    wanted = wanted_from(options)
    print(f"storm of seed {wanted.seed}: {_again(wanted)}", flush=True)
    run_id = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-storm-{wanted.seed}-{secrets.token_hex(2)}"
    folder = RunFolder.create(options.runs, run_id)
    spec = load_testbed(ROOT / "testbed.yaml")
    storm = Storm(wanted, spec, folder, NativeRuntime(), lambda line: print(line, flush=True))
    good = False
    try:
        result = asyncio.run(storm.play())
        print(told(result))
        good = not result.objections
    except* (StormError, TestbedError, FaultError, DumpError) as group:
        for error in group.exceptions:
            print(f"BROKEN: seed {wanted.seed}: {error}")
    finally:
        if good and not options.keep:
            shutil.rmtree(folder.root)
        else:
            print(f"ledger, tables and logs are kept in {folder.root}")
    return 0 if good else 1


def wanted_from(options: argparse.Namespace) -> Wanted:
    """The storm that was asked for; a random seed when none was given."""
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    limit_s = options.limit or (
        120 + 2 * options.reservations / options.rate + options.kills * KILL_S
    )
    return Wanted(seed, options.reservations, options.kills, options.rate, limit_s, options.policy)


def _again(wanted: Wanted) -> str:
    return (
        f"python -m stress.storm --seed {wanted.seed} --reservations {wanted.reservations} "
        f"--kills {wanted.kills_between} --rate {wanted.rate_rps:g} --policy {wanted.policy}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stress.storm", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--reservations", type=int, default=2_000, metavar="N", help="at least")
    parser.add_argument(
        "--kills", type=int, default=50, metavar="K", help="between pay and confirm, at least"
    )
    parser.add_argument("--seed", type=int, help="default: a random one, printed")
    parser.add_argument("--rate", type=float, default=RATE_RPS, metavar="RPS", help="orders/s")
    parser.add_argument("--limit", type=float, metavar="S", help="give up after")
    parser.add_argument(
        "--policy", default="default", help="of policies/; without some a storm must break"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where its folder is made")
    parser.add_argument("--keep", action="store_true", help="keep the folder of a good storm too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
