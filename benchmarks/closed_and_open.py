"""Plays the same outage under an open and a closed loop, for the figures of docs/closed-loop.md.

    python -m benchmarks.closed_and_open [--write docs/images/closed-loop.svg]

Each plays on a fresh native testbed, 60 requests per second for 30 s. Payments responds 2.4 s late from 10 s to
20 s. The closed loop has 30 users who together reach the same rate while responses are quick.
"""

import argparse
import asyncio
import dataclasses
import tempfile
import time
from collections import Counter
from pathlib import Path

import msgspec
import vl_convert

from aguante.clients.toxiproxy_client import ToxicState, ToxiproxyClient
from aguante.load.generator import LoadChild
from aguante.load.seed_events import seed_events
from aguante.load_protocol.records import LoadPlan, RequestRecord
from aguante.runtimes.native.native_runtime import NativeRuntime
from aguante.testbed.runtime import Testbed
from aguante.testbed.testbed_file import load_testbed

ROOT = Path(__file__).parents[1]
RATE_RPS, DURATION_S, USERS = 60.0, 30.0, 30
OUTAGE_S = (10.0, 20.0)
LATENCY_MS = 2400
LINK = "reservations-payments"
TOXIC = ToxicState(
    name="outage",
    type="latency",
    stream="downstream",
    toxicity=1.0,
    attributes={"latency": LATENCY_MS, "jitter": 0},
)
COLOURS = {"200": "#1f8562", "429": "#c98a1b", "other": "#b3372f"}
LIMIT_S = 30.0


@dataclasses.dataclass(frozen=True)
class LoopRecords:
    """The records of one loop."""

    loop: str
    rows: list[RequestRecord]

    def within(self) -> list[RequestRecord]:
        """The requests with an intended start during the outage."""
        return [row for row in self.rows if OUTAGE_S[0] <= row.intended_s < OUTAGE_S[1]]


async def play(users: int, folder: Path) -> LoopRecords:
    """Play one load on its own testbed; 0 users: an open loop."""
    spec = load_testbed(ROOT / "testbed.yaml")
    name = "closed" if users else "open"
    (folder / name).mkdir()
    runtime = NativeRuntime()
    try:
        testbed = await runtime.up(spec, "default", "")
        events = await seed_events(spec, testbed, f"loop-{name}")
        plan = plan_for(testbed, list(events), users, folder / name)
        async with LoadChild.start(plan, spec, folder / name / "load.log") as child:
            await child.ready(LIMIT_S)
            t0_s = time.monotonic() + 0.3
            child.begin(t0_s)
            await _break(testbed, t0_s)
            await child.finish(DURATION_S + LIMIT_S)
    finally:
        await runtime.down()
    return LoopRecords(name, _rows(plan))


def _rows(plan: LoadPlan) -> list[RequestRecord]:
    lines = Path(plan.records_path).read_bytes().splitlines()
    return [msgspec.json.decode(line, type=RequestRecord) for line in lines]


def plan_for(testbed: Testbed, events: list[str], users: int, folder: Path) -> LoadPlan:
    """60 reservations per second, equally spaced."""
    return LoadPlan(
        base_url=testbed.gateway,
        profile="steady",
        arrivals="fixed",
        rate_rps=RATE_RPS,
        duration_s=DURATION_S,
        mix={"reserve": 1.0},
        event_ids=events,
        seed=1,
        timeout_s=7.0,
        run_id=f"loop-{'closed' if users else 'open'}",
        experiment="closed-and-open",
        phases=[("baseline", 0.0, DURATION_S)],
        records_path=str(folder / "requests.jsonl"),
        users=users,
    )


async def _break(testbed: Testbed, t0_s: float) -> None:
    """Apply and remove the latency at its times of the load's clock."""
    client = ToxiproxyClient(testbed.toxiproxy)
    await asyncio.sleep(t0_s + OUTAGE_S[0] - time.monotonic())
    await asyncio.to_thread(client.add_toxic, LINK, TOXIC)
    await asyncio.sleep(t0_s + OUTAGE_S[1] - time.monotonic())
    await asyncio.to_thread(client.remove_toxic, LINK, TOXIC.name)


def table(seen: list[LoopRecords]) -> str:
    """The page's table, in Markdown."""
    lines = ["| | " + " | ".join(f"{each.loop} loop" for each in seen) + " |"]
    lines.append("|---|" + "---:|" * len(seen))
    facts = [_facts(each) for each in seen]
    lines += [f"| {name} | " + " | ".join(fact[name] for fact in facts) + " |" for name in facts[0]]
    return "\n".join(lines)


def _facts(seen: LoopRecords) -> dict[str, str]:
    outage, whole = seen.within(), seen.rows
    statuses = Counter(row.status for row in outage)
    refused = sum(count for status, count in statuses.items() if status != 200)
    slow = sum(row.latency_ms > 1000 for row in whole)
    return {
        "requests in 30 s": str(len(whole)),
        "of these, intended to start in the 10 s of the outage": str(len(outage)),
        "status 200 in the outage": str(statuses[200]),
        "status 429 in the outage": str(statuses[429]),
        "failed in the outage": f"{refused / len(outage):.0%}",
        "failed over the whole run": f"{sum(r.status != 200 for r in whole) / len(whole):.1%}",
        "slower than 1 s, of the whole run": f"{slow / len(whole):.1%}",
        "p50 of the whole run": f"{_percentile(whole, 0.5):.0f} ms",
        "p90 of the whole run": f"{_percentile(whole, 0.9):.0f} ms",
    }


def _percentile(rows: list[RequestRecord], p: float) -> float:
    ordered = sorted(row.latency_ms for row in rows)
    return ordered[min(len(ordered) - 1, int(p * len(ordered)))]


def picture(seen: list[LoopRecords]) -> str:
    """An SVG of the requests by the second of their intended start and their status."""
    rows = [
        {"loop": f"{each.loop} loop", "second": int(row.intended_s), "status": _status(row.status)}
        for each in seen
        for row in each.rows
    ]
    bars = {
        "mark": {"type": "bar", "binSpacing": 1},
        "encoding": {
            "x": {
                "field": "second",
                "type": "ordinal",
                "title": "second of the intended start; payments is slow from 10 to 20",
                "axis": {"labelAngle": 0, "values": list(range(0, int(DURATION_S), 5))},
            },
            "y": {"aggregate": "count", "type": "quantitative", "title": "requests"},
            "color": {
                "field": "status",
                "type": "nominal",
                "scale": {"domain": list(COLOURS), "range": list(COLOURS.values())},
                "title": "status",
            },
        },
        "width": 560,
        "height": 130,
    }
    return str(
        vl_convert.vegalite_to_svg(
            {
                "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
                "background": "white",
                "data": {"values": rows},
                "facet": {
                    "row": {"field": "loop", "sort": ["open loop", "closed loop"], "title": None}
                },
                "spec": bars,
            }
        )
    )


def _status(status: int) -> str:
    return str(status) if str(status) in COLOURS else "other"


def main() -> None:
    """Play both loops, print the table, write the SVG."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="write the SVG to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aguante-bench-") as folder:
        seen = [asyncio.run(play(users, Path(folder))) for users in (0, USERS)]
    print(table(seen))
    if options.write:
        options.write.write_text(picture(seen) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
