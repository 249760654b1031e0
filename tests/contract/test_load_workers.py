"""One load by two real worker processes: requests at the server, records, and failures."""

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import psutil
import pytest
from aiohttp import web

from aguante.load.generator import LoadChild, LoadError
from aguante.load_protocol.records import LoadPlan, LoadSummary, RequestRecord
from aguante.testbed.testbed_file import load_testbed
from aguante.testbed.testbed_spec import TestbedSpec

ROOT = Path(__file__).parents[2]
LIMIT_S = 40.0


@pytest.fixture(scope="module")
def spec() -> TestbedSpec:
    """The shop, whose locustfile is under test."""
    return load_testbed(ROOT / "testbed.yaml")


@pytest.fixture(autouse=True)
def no_worker_is_left() -> Iterator[None]:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    after = {child.pid for child in psutil.Process().children(recursive=True)}
    assert after <= before


class Shop:
    """A server that keeps the trace id of every request."""

    def __init__(self) -> None:
        self.traces: list[str] = []
        self.port = 0

    async def __aenter__(self) -> "Shop":
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        await request.read()
        self.traces.append(request.headers["traceparent"].split("-")[1])
        return web.json_response({"reservation_id": "res-1"})


def plan_for(tmp_path: Path, port: int, **changed: object) -> LoadPlan:
    plan = LoadPlan(
        base_url=f"http://127.0.0.1:{port}",
        profile="mixed",
        arrivals="poisson",
        rate_rps=80.0,
        duration_s=1.5,
        mix={"reserve": 0.75, "read_event": 0.25},
        event_ids=["event-a"],
        seed=7,
        timeout_s=3.0,
        run_id="run-1",
        experiment="contract",
        phases=[("baseline", 0.0, 9.0)],
        records_path=str(tmp_path / "requests.jsonl"),
        workers=2,
    )
    return msgspec.structs.replace(plan, **changed)


def rows_of(tmp_path: Path) -> list[RequestRecord]:
    lines = (tmp_path / "requests.jsonl").read_bytes().splitlines()
    rows = [msgspec.json.decode(line, type=RequestRecord) for line in lines]
    return sorted(rows, key=lambda row: row.seq)


async def play(plan: LoadPlan, spec: TestbedSpec, tmp_path: Path) -> LoadSummary:
    async with LoadChild.start(plan, spec, tmp_path / "load.log") as child:
        await child.ready(LIMIT_S)
        child.begin(time.monotonic() + 0.3)
        return await child.finish(LIMIT_S)


async def test_two_workers_send_what_one_would_send(tmp_path: Path, spec: TestbedSpec) -> None:
    """The same schedule to the last trace id and key, half each, on one clock; all of it arrives."""
    both, one = tmp_path / "both", tmp_path / "one"
    for folder in (both, one):
        folder.mkdir()
    async with Shop() as shop:
        summary = await play(plan_for(both, shop.port), spec, both)
        seen = Counter(shop.traces)
        await play(plan_for(one, shop.port, workers=1), spec, one)
    rows, alone = rows_of(both), rows_of(one)

    def asked(found: list[RequestRecord]) -> list[tuple[int, str, float, str, str]]:
        return [(r.seq, r.operation, r.intended_s, r.trace_id, r.idempotency_key) for r in found]

    assert asked(rows) == asked(alone)
    assert Counter(row.trace_id for row in rows) == seen
    assert [row.worker for row in rows] == [row.seq % 2 for row in rows]
    assert summary == LoadSummary(offered=len(rows), sent=len(rows), shed=0, completed=len(rows))
    late_s = sorted(abs(row.started_s - row.intended_s) for row in rows)
    assert late_s[len(late_s) // 2] < 0.1


async def test_workers_with_different_clocks_keep_one_schedule(
    tmp_path: Path, spec: TestbedSpec
) -> None:
    """Clocks are ahead by seconds or hours: every request is sent when it is due, and the clock error is reported."""
    far = spec.load.model_copy(update={"locustfile": ROOT / "tests/contract/remote_workers.py"})
    async with Shop() as shop:
        plan = plan_for(tmp_path, shop.port)
        summary = await play(plan, spec.model_copy(update={"load": far}), tmp_path)
    rows = rows_of(tmp_path)
    assert {row.worker for row in rows} == {0, 1}
    assert summary.completed == summary.offered == len(rows) > 50
    for worker in (0, 1):
        late_s = sorted(row.started_s - row.intended_s for row in rows if row.worker == worker)
        assert abs(late_s[len(late_s) // 2]) < 1.0  # the clocks differ by hundreds of seconds
    assert 0 < summary.clock_error_ms < 1000


async def test_a_worker_that_is_killed_makes_the_load_fail(
    tmp_path: Path, spec: TestbedSpec
) -> None:
    """Half a load is no load: exit 1 with the worker's name; records received until then are kept."""
    async with Shop() as shop:
        plan = plan_for(tmp_path, shop.port, duration_s=60.0)
        async with LoadChild.start(plan, spec, tmp_path / "load.log") as child:
            await child.ready(LIMIT_S)
            child.begin(time.monotonic())
            await asyncio.sleep(0.7)
            psutil.Process(child.pid).children()[1].kill()
            with pytest.raises(LoadError, match=r"worker \d was lost") as caught:
                await child.finish(LIMIT_S)
    assert caught.value.exit_code == 1
    assert rows_of(tmp_path)


async def test_a_stop_reaches_every_worker(tmp_path: Path, spec: TestbedSpec) -> None:
    """After SIGTERM no worker sends more requests, and everything sent is recorded."""
    async with Shop() as shop:
        plan = plan_for(tmp_path, shop.port, duration_s=60.0)
        async with LoadChild.start(plan, spec, tmp_path / "load.log") as child:
            await child.ready(LIMIT_S)
            child.begin(time.monotonic())
            await asyncio.sleep(0.7)
            child.end_arrivals()
            summary = await child.finish(LIMIT_S)
        arrived = len(shop.traces)
    assert 0 < summary.offered < 1000
    assert summary.completed == summary.sent == len(rows_of(tmp_path)) == arrived


async def test_plain_locust_splits_the_schedule_between_its_workers(tmp_path: Path) -> None:
    """A manual master and two workers: one records file, every arrival exactly once, all counted by Locust."""
    records = tmp_path / "requests.jsonl"
    locust = [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py")]
    async with Shop() as shop:
        settings = {"AGUANTE_RATE_RPS": "60", "AGUANTE_RECORDS": str(records)}
        port = str(free_port())
        master = await started(
            *locust, "--master", "--expect-workers", "2", "--headless", "--json", "-t", "2s",
            "--host", f"http://127.0.0.1:{shop.port}", "--master-bind-port", port, **settings,
        )  # fmt: skip
        workers = [
            await started(*locust, "--worker", "--master-port", port, "--headless")
            for _ in range(2)
        ]
        try:
            async with asyncio.timeout(LIMIT_S):
                stdout, stderr = await master.communicate()
                await asyncio.gather(*(worker.communicate() for worker in workers))
        finally:
            for process in (master, *workers):
                if process.returncode is None:
                    process.kill()
                    await process.wait()
    assert master.returncode == 0, stderr.decode()
    rows = rows_of(tmp_path)
    assert [row.seq for row in rows] == list(range(len(rows)))
    assert 20 <= len(rows) <= 200
    assert {row.worker for row in rows} == {0, 1}
    assert sorted(shop.traces) == sorted(row.trace_id for row in rows)
    counted = sum(row["num_requests"] for row in json.loads(stdout))
    assert counted == len(rows)


async def test_the_web_ui_starts_one_load_after_another(tmp_path: Path) -> None:
    """With workers: each load is the complete schedule, however long the workers take to get ready."""
    locust = [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py")]
    port, page = str(free_port()), free_port()
    settings = {"AGUANTE_RATE_RPS": "30", "AGUANTE_ARRIVALS": "fixed"}
    async with Shop() as shop:
        master = await started(
            *locust, "--master", "--host", f"http://127.0.0.1:{shop.port}", "--web-host",
            "127.0.0.1", "--web-port", str(page), "--master-bind-port", port, **settings,
        )  # fmt: skip
        workers = [
            await started(*locust, "--worker", "--master-port", port, "--headless")
            for _ in range(2)
        ]
        try:
            async with asyncio.timeout(LIMIT_S), aiohttp.ClientSession() as http:
                address = f"http://127.0.0.1:{page}"
                await until(http, address, lambda told: len(told["workers"]) == 2)
                for loads in (1, 2):
                    form = {"user_count": "1", "spawn_rate": "1", "run_time": "2s"}
                    async with http.post(f"{address}/swarm", data=form) as answer:
                        assert (await answer.json())["success"], await answer.text()
                    while len(shop.traces) < loads * 60:  # noqa: ASYNC110 - its statistics are up to 2 s old
                        await asyncio.sleep(0.1)
                    await until(http, address, lambda told: told["state"] == "stopped")
                    # a connection without a request tests the gateway before each load
                    assert len(shop.traces) == len(set(shop.traces)) == loads * 60
        finally:
            for process in (master, *workers):
                process.kill()
                await process.communicate()


async def until(
    http: aiohttp.ClientSession, address: str, true: Callable[[dict[str, Any]], bool]
) -> None:
    """Poll Locust's page until it is in this state."""
    while True:
        with contextlib.suppress(aiohttp.ClientError):
            async with http.get(f"{address}/stats/requests") as answer:
                if answer.status == 200 and true(await answer.json()):
                    return
        await asyncio.sleep(0.1)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def started(*command: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=os.environ | environment, start_new_session=True,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
