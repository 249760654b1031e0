"""``python -m stress.hostile``: plays hostile inputs against every service; exits 1 when one of them broke."""

import argparse
import asyncio
import sys
import time

from stress.hostile.soak import SoakResult, soak_testbed
from stress.hostile.targets import TEMPLATES

GATEWAY_SHARE = 0.6


def report_text(result: SoakResult) -> str:
    """One service's part of the report."""
    outcome = result.outcome
    lines = [
        f"{result.service}: {outcome.inputs} inputs, {outcome.unanswered} unanswered as expected"
    ]
    lines.append("  statuses   " + _counted(outcome.statuses))
    lines.append("  mechanisms " + _counted(outcome.mechanisms))
    if result.before and result.after:
        lines.append(
            f"  memory {result.before.rss_mib:.1f} -> {result.after.rss_mib:.1f} MiB, files {result.before.files} -> "
            f"{result.after.files}, lines of metrics {result.before.metric_lines} -> {result.after.metric_lines}"
        )
    lines += [f"  BROKEN: {objection}" for objection in result.objections]
    lines += [f"  {fault}" for fault in outcome.faults]
    return "\n".join(lines)


def _counted(counts: dict[int, int] | dict[str, int]) -> str:
    pairs = sorted(
        ((str(name), count) for name, count in counts.items()), key=lambda pair: -pair[1]
    )
    return ", ".join(f"{name} {count}" for name, count in pairs)


def main() -> int:
    """Play the inputs and report; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m stress.hostile",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--inputs", type=int, default=100_000, help="total number of inputs")
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        help="the same seed gives the same inputs",
    )
    parser.add_argument(
        "--warm-up",
        type=int,
        default=2_000,
        help="inputs per service before measuring starts",
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
    results = asyncio.run(
        soak_testbed(
            shares,
            arguments.seed,
            arguments.warm_up,
            lambda result: print(report_text(result), flush=True),
        )
    )
    broken = any(result.objections for result in results)
    took_s = time.monotonic() - began_s
    played = sum(result.outcome.inputs for result in results)
    print(f"{'BROKEN' if broken else 'held'}: {played} inputs in {took_s:.0f} s")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
