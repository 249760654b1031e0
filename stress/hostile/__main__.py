"""``python -m stress.hostile``: hostile inputs against each service of a native testbed; exit code 1 when one broke."""

import argparse
import asyncio
import sys
import time

from stress.hostile.siege import Siege, besiege_testbed
from stress.hostile.targets import TEMPLATES

GATEWAY_SHARE = 0.6


def told(siege: Siege) -> str:
    """One service's part of the report."""
    outcome = siege.outcome
    lines = [f"{siege.service}: {outcome.inputs} inputs, {outcome.unanswered} rightly unanswered"]
    lines.append("  statuses   " + _counted(outcome.statuses))
    lines.append("  mechanisms " + _counted(outcome.mechanisms))
    if siege.before and siege.after:
        lines.append(
            f"  memory {siege.before.rss_mib:.1f} -> {siege.after.rss_mib:.1f} MiB, files {siege.before.files} -> "
            f"{siege.after.files}, lines of metrics {siege.before.metric_lines} -> {siege.after.metric_lines}"
        )
    lines += [f"  BROKEN: {objection}" for objection in siege.objections]
    lines += [f"  {fault}" for fault in outcome.faults]
    return "\n".join(lines)


def _counted(counts: dict[int, int] | dict[str, int]) -> str:
    pairs = sorted(
        ((str(name), count) for name, count in counts.items()), key=lambda pair: -pair[1]
    )
    return ", ".join(f"{name} {count}" for name, count in pairs)


def main() -> int:
    """Parse arguments, play, report."""
    parser = argparse.ArgumentParser(prog="stress.hostile", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="how many in all")
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same inputs")
    parser.add_argument(
        "--warm-up", type=int, default=2_000, help="for each service, before measuring"
    )
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    others = [name for name in TEMPLATES if name != "gateway"]
    each = round(arguments.inputs * (1 - GATEWAY_SHARE) / len(others))
    shares = [
        ("gateway", arguments.inputs - each * len(others)),
        *((name, each) for name in others),
    ]
    began_s = time.monotonic()
    sieges = asyncio.run(
        besiege_testbed(
            shares, arguments.seed, arguments.warm_up, lambda siege: print(told(siege), flush=True)
        )
    )
    broken = any(siege.objections for siege in sieges)
    took_s = time.monotonic() - began_s
    played = sum(siege.outcome.inputs for siege in sieges)
    print(f"{'BROKEN' if broken else 'held'}: {played} inputs in {took_s:.0f} s")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
