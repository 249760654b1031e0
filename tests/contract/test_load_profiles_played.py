"""The real generator plays every profile for a second, and each part of it has the arrivals of its rate."""

import asyncio
import json
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec
from aiohttp import web
from load_harness import http_server

from aguante.load.generator import LoadChild
from aguante.load_protocol.rates import Shape
from aguante.load_protocol.records import LoadPlan, LoadSummary, RequestRecord
from aguante.testbed.testbed_file import load_testbed
from aguante.testbed.testbed_spec import TestbedSpec

ROOT = Path(__file__).parents[2]
LIMIT_S = 60.0
RACERS = 10


class Profile(NamedTuple):
    """A profile of one second, and the number of arrivals in each part of it."""

    name: str
    rate_rps: float
    shape: Shape
    parts_s: tuple[float, ...]
    arrivals: tuple[int, ...]


PROFILES = (
    # from 20 to 60: 20 x 0.5 + 20 x 0.5 / 2 in the first half
    Profile("ramp", 20, Shape(to_rps=60), (0, 0.5, 1), (15, 25)),
    # 20, 40, 60, 80 for a quarter each
    Profile("step", 20, Shape(to_rps=80, steps=4), (0, 0.25, 0.5, 0.75, 1), (5, 10, 15, 20)),
    Profile("spike", 20, Shape(to_rps=120, at_s=0.25, for_s=0.25), (0, 0.25, 0.5, 1), (5, 30, 10)),
    Profile("soak", 40, Shape(), (0, 0.5, 1), (20, 20)),
    # four starts of ten at once
    Profile("race", 40, Shape(racers=RACERS), (0, 0.25, 0.5, 0.75, 1), (10, 10, 10, 10)),
)


class Shop:
    """Sells one seat of each race's event, and responds only once all its racers have arrived."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        """Requests by run."""
        self._racers: Counter[str] = Counter()
        self._all_there: dict[str, asyncio.Event] = {}

    async def answer(self, request: web.Request) -> web.Response:
        """200, or 409 for a racer after the first."""
        run, event = request.headers["baggage"].split(",")[0].rpartition("=")[2], ""
        self.seen[run] += 1
        if request.method == "POST":
            event = json.loads(await request.read())["event_id"]
        if run != "race":
            return web.json_response({"reservation_id": "res-1"})
        self._racers[event] += 1
        place, gate = self._racers[event], self._all_there.setdefault(event, asyncio.Event())
        if place == RACERS:
            gate.set()
        await gate.wait()
        return web.json_response({"reservation_id": "res-1"}, status=200 if place == 1 else 409)


def plan_of(profile: Profile, port: int, folder: Path) -> LoadPlan:
    folder.mkdir()
    race = profile.name == "race"
    return LoadPlan(
        base_url=f"http://127.0.0.1:{port}",
        profile=profile.name,
        arrivals="fixed",
        rate_rps=profile.rate_rps,
        shape=profile.shape,
        duration_s=1.0,
        mix={"reserve": 1.0} if race else {"reserve": 0.5, "read_event": 0.5},
        event_ids=[f"event-{n}" for n in range(4)],
        seed=7,
        timeout_s=LIMIT_S,
        run_id=profile.name,
        experiment="contract",
        phases=[],
        records_path=str(folder / "requests.jsonl"),
    )


async def play(plan: LoadPlan, spec: TestbedSpec) -> LoadSummary:
    log = Path(plan.records_path).with_name("load.log")
    async with LoadChild.start(plan, spec, log) as child:
        await child.ready(LIMIT_S)
        child.begin(time.monotonic() + 0.2)
        return await child.finish(LIMIT_S)


async def test_each_part_of_a_profile_has_the_arrivals_of_its_rate(tmp_path: Path) -> None:
    """Ramp, step, spike, soak and race: the counts of each part, all received, and one seat sold per race."""
    shop, spec = Shop(), load_testbed(ROOT / "testbed.yaml")
    async with http_server(shop.answer) as port:
        plans = [plan_of(each, port, tmp_path / each.name) for each in PROFILES]
        summaries = await asyncio.gather(*(play(plan, spec) for plan in plans))
    for profile, summary in zip(PROFILES, summaries, strict=True):
        lines = (tmp_path / profile.name / "requests.jsonl").read_bytes().splitlines()
        rows = [msgspec.json.decode(line, type=RequestRecord) for line in lines]
        counts = tuple(
            sum(start_s <= row.intended_s < end_s for row in rows)
            for start_s, end_s in pairwise(profile.parts_s)
        )
        assert (profile.name, counts) == (profile.name, profile.arrivals)
        total = sum(profile.arrivals)
        assert summary == LoadSummary(offered=total, sent=total, shed=0, completed=total)
        assert shop.seen[profile.name] == total
        if profile.name == "race":
            asked = Counter((row.event_id, row.intended_s, row.status) for row in rows)
            assert sorted(asked.values()) == [1] * 4 + [RACERS - 1] * 4
