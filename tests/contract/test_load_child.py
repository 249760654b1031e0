"""The load generator as a real child process, against real sockets."""

import asyncio
import contextlib
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil
import pytest
from aiohttp import web
from load_harness import http_server

from aguante.load.generator import LoadChild, LoadError, RecordTail
from aguante.load_protocol.records import LoadPlan, LoadSummary, RequestRecord
from aguante.testbed.testbed_file import load_testbed
from aguante.testbed.testbed_spec import TestbedSpec

ROOT = Path(__file__).parents[2]
READY_LIMIT_S = 20.0
FINISH_LIMIT_S = 15.0
Connection = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="module")
def spec() -> TestbedSpec:
    """The shop's spec, whose locustfile is under test."""
    return load_testbed(ROOT / "testbed.yaml")


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    after = {child.pid for child in psutil.Process().children(recursive=True)}
    assert after <= before


def plan_for(tmp_path: Path, port: int, **changed: object) -> LoadPlan:
    plan = LoadPlan(
        base_url=f"http://127.0.0.1:{port}",
        profile="steady",
        arrivals="fixed",
        rate_rps=40.0,
        duration_s=0.5,
        mix={"reserve": 0.5, "read_event": 0.5},
        event_ids=["event-a"],
        seed=7,
        timeout_s=5.0,
        run_id="run-1",
        experiment="contract",
        phases=[("baseline", 0.0, 0.25), ("fault", 0.25, 9.0)],
        records_path=str(tmp_path / "requests.jsonl"),
    )
    return msgspec.structs.replace(plan, **changed)


def rows_of(tmp_path: Path) -> list[RequestRecord]:
    lines = (tmp_path / "requests.jsonl").read_bytes().splitlines()
    rows = [msgspec.json.decode(line, type=RequestRecord) for line in lines]
    return sorted(rows, key=lambda row: row.seq)


@contextlib.asynccontextmanager
async def raw_server(serve: Connection) -> AsyncIterator[int]:
    """A server whose connections are handled by ``serve``, and closed when it returns."""

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


async def play(plan: LoadPlan, spec: TestbedSpec, tmp_path: Path) -> LoadSummary:
    async with LoadChild.start(plan, spec, tmp_path / "load.log") as child:
        await child.ready(READY_LIMIT_S)
        child.begin(time.monotonic() + 0.1)
        return await child.finish(FINISH_LIMIT_S)


async def ok(request: web.Request) -> web.Response:
    await request.read()
    return web.json_response({"reservation_id": "res-1"})


async def test_every_arrival_is_one_request_with_its_own_trace_and_key(
    tmp_path: Path, spec: TestbedSpec
) -> None:
    """The server received exactly the requests that were recorded."""
    seen: list[tuple[str, str, str, str]] = []

    async def remember(request: web.Request) -> web.Response:
        headers = request.headers
        trace_id = headers["traceparent"].split("-")[1]
        phase = headers["baggage"].rpartition("aguante.phase=")[2]
        seen.append((request.method, trace_id, headers.get("Idempotency-Key", ""), phase))
        return await ok(request)

    async with http_server(remember) as port:
        summary = await play(plan_for(tmp_path, port), spec, tmp_path)
    rows = rows_of(tmp_path)
    assert summary == LoadSummary(offered=20, sent=20, shed=0, completed=20)
    assert [row.intended_s for row in rows] == [n / 40 for n in range(20)]
    methods = {"reserve": "POST", "read_event": "GET"}
    assert sorted(seen) == sorted(
        (
            methods[row.operation],
            row.trace_id,
            row.idempotency_key,
            "baseline" if row.intended_s < 0.25 else "fault",
        )
        for row in rows
    )
    assert len({row.trace_id for row in rows}) == 20
    assert {(row.status, row.origin, row.reservation_id) for row in rows} == {(200, "", "res-1")}


async def test_a_stall_shows_in_the_latency_of_every_request_intended_during_it(
    tmp_path: Path, spec: TestbedSpec
) -> None:
    """No coordinated omission: during a stall of 1 s arrivals continue, and their latency includes the wait."""
    first: list[float] = []

    async def stall(request: web.Request) -> web.Response:
        now = asyncio.get_running_loop().time()
        first.append(now)
        await asyncio.sleep(max(0.0, first[0] + 1.0 - now))
        return await ok(request)

    async with http_server(stall) as port:
        await play(plan_for(tmp_path, port, rate_rps=100.0, duration_s=1.5), spec, tmp_path)
    rows = rows_of(tmp_path)
    assert len(rows) == 150
    for row in rows:
        # on a busy machine a response may come later than the end of the stall, never earlier
        assert row.latency_ms >= (1.0 - row.intended_s) * 1000 - 30
    assert sum(row.latency_ms > 500 for row in rows) >= 48
    late = sorted(row.started_s - row.intended_s for row in rows)
    assert late[len(late) // 2] < 0.05


PROBLEM = b"""{"origin": "gateway", "link": null, "mechanism": "semaphore_full", "definite": true, "settled": true}"""
MISBEHAVIOUR = ("problem", "disconnect", "half", "drip", "none")
"""One for each event of ``misbehaved``. Five, so that each event gets reads and reserves in turn."""


@dataclass(frozen=True)
class Misbehaved:
    """The records of a load on a server that misbehaves, and the requests that it got, both by event."""

    rows: dict[str, list[RequestRecord]]
    requests: dict[str, list[bytes]]


async def misbehave(
    how: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
) -> None:
    """Respond, or not, in the given way."""
    if how == "problem":
        head = b"HTTP/1.1 429 X\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
        writer.write(head + b"Content-Length: %d\r\n\r\n" % len(PROBLEM) + PROBLEM)
    elif how == "disconnect":
        writer.transport.abort() if number % 3 == 0 else writer.close()
    elif how == "half":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
    elif how == "drip":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        for _ in range(100):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.1)
    else:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")


@pytest.fixture(scope="module")
async def misbehaved(spec: TestbedSpec, tmp_path_factory: pytest.TempPathFactory) -> Misbehaved:
    """One load of 40 requests, eight for each event."""
    requests: dict[str, list[bytes]] = {how: [] for how in MISBEHAVIOUR}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        body = await reader.readexactly(int(length[1])) if length else b""
        how = next(each for each in MISBEHAVIOUR if each.encode() in head.split(b"\r\n")[0] + body)
        requests[how].append(head.split(b" ")[0])
        await misbehave(how, reader, writer, len(requests[how]))

    folder = tmp_path_factory.mktemp("misbehaved")
    async with raw_server(serve) as port:
        events = [f"event-{how}" for how in MISBEHAVIOUR]
        await play(
            plan_for(folder, port, duration_s=1.0, timeout_s=0.6, event_ids=events), spec, folder
        )
    rows = rows_of(folder)
    by_event = {how: [r for r in rows if r.event_id == f"event-{how}"] for how in MISBEHAVIOUR}
    assert {len(each) for each in by_event.values()} == {8}
    return Misbehaved(by_event, requests)


def test_a_problem_is_recorded_with_its_origin(misbehaved: Misbehaved) -> None:
    """Attribution comes from the response itself."""
    assert {
        (row.status, row.origin, row.link, row.mechanism, row.definite, row.settled)
        for row in misbehaved.rows["problem"]
    } == {(429, "gateway", "", "semaphore_full", True, True)}


def test_a_request_whose_server_disconnects_is_sent_once(misbehaved: Misbehaved) -> None:
    """Disconnected, without a hidden retry, for reads and reserves alike."""
    assert sorted(misbehaved.requests["disconnect"]) == [b"GET"] * 4 + [b"POST"] * 4
    assert {(row.status, row.origin, row.mechanism) for row in misbehaved.rows["disconnect"]} == {
        (0, "client", "client_disconnected")
    }


def test_half_a_response_is_a_disconnect(misbehaved: Misbehaved) -> None:
    """A body shorter than its Content-Length, whatever the status line."""
    assert {(row.status, row.mechanism) for row in misbehaved.rows["half"]} == {
        (0, "client_disconnected")
    }


def test_the_timeout_covers_the_whole_request(misbehaved: Misbehaved) -> None:
    """A server that sends a byte now and then never lets a socket time out; the timeout holds all the same."""
    for row in misbehaved.rows["drip"]:
        assert (row.status, row.mechanism) == (0, "client_timeout")
        assert 590 <= row.latency_ms < 3000  # the response would last 10 s


async def test_a_request_on_a_dead_keep_alive_connection_is_not_sent_again(
    tmp_path: Path, spec: TestbedSpec
) -> None:
    """A connection that is closed at its second request: one disconnect, and no second attempt."""
    requests: list[str] = []

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        requests.append("answered")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await reader.readuntil(b"\r\n\r\n")
        requests.append("dropped")

    async with raw_server(answer_once) as port:
        plan = plan_for(tmp_path, port, mix={"read_event": 1.0}, rate_rps=10.0, duration_s=0.6)
        await play(plan, spec, tmp_path)
    rows = rows_of(tmp_path)
    assert len(requests) == len(rows) == 6
    assert [row.status for row in rows] == [200, 0] * 3
    assert {row.mechanism for row in rows if row.status == 0} == {"client_disconnected"}


async def test_a_port_that_closes_during_the_run_is_refused(
    tmp_path: Path, spec: TestbedSpec
) -> None:
    """Refused differs from disconnected: it is the sign of a disabled proxy."""
    async with contextlib.AsyncExitStack() as stack:
        port = await stack.enter_async_context(http_server(ok))
        async with LoadChild.start(plan_for(tmp_path, port), spec, tmp_path / "l.log") as child:
            await child.ready(READY_LIMIT_S)
            await stack.aclose()
            child.begin(time.monotonic())
            summary = await child.finish(FINISH_LIMIT_S)
    assert summary.completed == 20
    assert {(row.status, row.origin, row.mechanism) for row in rows_of(tmp_path)} == {
        (0, "client", "client_refused")
    }


async def test_arrivals_beyond_the_limit_are_shed_and_counted(
    tmp_path: Path, spec: TestbedSpec
) -> None:
    """With a limit of five pending requests the others are not sent, and counted as shed."""

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(1.0)
        return await ok(request)

    async with http_server(slow) as port:
        summary = await play(plan_for(tmp_path, port, max_outstanding=5), spec, tmp_path)
    assert summary == LoadSummary(offered=20, sent=5, shed=15, completed=5)


async def test_four_hundred_may_be_outstanding(tmp_path: Path, spec: TestbedSpec) -> None:
    """400 requests wait at once, each on its own connection, and all get a response."""
    waiting = peak = 0

    async def together(request: web.Request) -> web.Response:
        nonlocal waiting, peak
        waiting += 1
        peak = max(peak, waiting)
        await asyncio.sleep(1.6)
        waiting -= 1
        return await ok(request)

    async with http_server(together) as port:
        plan = plan_for(tmp_path, port, rate_rps=300.0, duration_s=1.4)
        summary = await play(plan, spec, tmp_path)
    assert summary == LoadSummary(offered=420, sent=420, shed=0, completed=420)
    assert peak >= 400
    assert {row.status for row in rows_of(tmp_path)} == {200}


async def test_records_can_be_read_during_the_load(tmp_path: Path, spec: TestbedSpec) -> None:
    """A reader that follows the file sees responses long before the end."""
    async with http_server(ok) as port:
        plan = plan_for(tmp_path, port, duration_s=1.5)
        async with LoadChild.start(plan, spec, tmp_path / "load.log") as child:
            await child.ready(READY_LIMIT_S)
            child.begin(time.monotonic())
            await asyncio.sleep(0.9)
            seen = RecordTail(Path(plan.records_path)).poll()
            await child.finish(FINISH_LIMIT_S)
    assert 15 <= seen.completed < 60
    assert seen.codes == {"200": seen.completed}


@pytest.mark.parametrize("users", [0, 2])
async def test_the_generator_stays_until_the_end_of_the_load(
    tmp_path: Path, spec: TestbedSpec, users: int
) -> None:
    """Its last arrival may be long before the end, and ending early would look like a crash."""
    async with http_server(ok) as port:
        plan = plan_for(tmp_path, port, rate_rps=1.0, duration_s=1.9, users=users)
        async with LoadChild.start(plan, spec, tmp_path / "load.log") as child:
            await child.ready(READY_LIMIT_S)
            began_s = time.monotonic()
            child.begin(began_s)
            await child.finish(FINISH_LIMIT_S)
            took_s = time.monotonic() - began_s
    assert took_s >= 1.9
    assert rows_of(tmp_path)[-1].intended_s <= 1.1


async def test_a_stop_ends_arrivals_and_awaits_responses(tmp_path: Path, spec: TestbedSpec) -> None:
    """SIGTERM during the load: no more arrivals, and pending requests are recorded with their responses."""

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(0.5)
        return await ok(request)

    async with http_server(slow) as port:
        plan = plan_for(tmp_path, port, duration_s=60.0)
        async with LoadChild.start(plan, spec, tmp_path / "load.log") as child:
            await child.ready(READY_LIMIT_S)
            child.begin(time.monotonic())
            await asyncio.sleep(0.4)
            child.end_arrivals()
            summary = await child.finish(FINISH_LIMIT_S)
    assert 0 < summary.offered < 60
    assert summary.completed == summary.sent == summary.offered
    assert {row.status for row in rows_of(tmp_path)} == {200}


async def test_the_generator_ends_without_load_when_the_runner_is_gone_before_t0(
    tmp_path: Path, spec: TestbedSpec
) -> None:
    """End of stdin before t0: exit 0, and no request."""
    async with (
        http_server(ok) as port,
        LoadChild.start(plan_for(tmp_path, port), spec, tmp_path / "load.log") as child,
    ):
        await child.ready(READY_LIMIT_S)
        child.close_stdin()
        with pytest.raises(LoadError, match="ended") as caught:
            await child.finish(FINISH_LIMIT_S)
    assert caught.value.exit_code == 0
    assert rows_of(tmp_path) == []


async def test_the_generator_stops_when_the_runner_is_gone_during_the_load(
    tmp_path: Path, spec: TestbedSpec
) -> None:
    """A killed runner leaves no load behind."""
    async with (
        http_server(ok) as port,
        LoadChild.start(
            plan_for(tmp_path, port, duration_s=60.0), spec, tmp_path / "l.log"
        ) as child,
    ):
        await child.ready(READY_LIMIT_S)
        child.begin(time.monotonic())
        await asyncio.sleep(0.3)
        child.close_stdin()
        summary = await child.finish(FINISH_LIMIT_S)
    assert 0 < summary.offered < 80


async def test_an_unreachable_gateway_is_reported_before_anything_runs(
    tmp_path: Path, spec: TestbedSpec
) -> None:
    """Exit 2, with how to fix it."""
    with pytest.raises(LoadError, match=r"nothing answers at http://127\.0\.0\.1:1 ") as caught:
        await play(plan_for(tmp_path, 1), spec, tmp_path)
    assert caught.value.exit_code == 2


async def test_an_invalid_plan_is_refused_with_every_error(
    tmp_path: Path, spec: TestbedSpec
) -> None:
    """Exit 3, and all errors at once."""
    with pytest.raises(LoadError, match=r"(?s)rate_rps: found 0.*profile: found 'x'") as caught:
        await play(plan_for(tmp_path, 1, rate_rps=0.0, profile="x"), spec, tmp_path)
    assert caught.value.exit_code == 3


async def test_records_that_cannot_be_written_are_a_failure(
    tmp_path: Path, spec: TestbedSpec
) -> None:
    """Load without records is no evidence: exit 1 with the reason."""
    (tmp_path / "requests.jsonl").mkdir()
    async with http_server(ok) as port:
        with pytest.raises(LoadError, match="Is a directory") as caught:
            await play(plan_for(tmp_path, port), spec, tmp_path)
    assert caught.value.exit_code == 1


async def test_a_generator_that_dies_is_an_error_with_its_exit_code(
    tmp_path: Path, spec: TestbedSpec
) -> None:
    """SIGKILL in the middle of the load."""
    async with (
        http_server(ok) as port,
        LoadChild.start(
            plan_for(tmp_path, port, duration_s=60.0), spec, tmp_path / "l.log"
        ) as child,
    ):
        await child.ready(READY_LIMIT_S)
        child.begin(time.monotonic())
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(LoadError, match=r"ended \(exit code -9\)") as caught:
            await child.finish(FINISH_LIMIT_S)
    assert caught.value.exit_code == -9


async def test_a_generator_that_overruns_is_ended(tmp_path: Path, spec: TestbedSpec) -> None:
    """The runner's wait has a limit."""
    async with (
        http_server(ok) as port,
        LoadChild.start(
            plan_for(tmp_path, port, duration_s=60.0), spec, tmp_path / "l.log"
        ) as child,
    ):
        await child.ready(READY_LIMIT_S)
        child.begin(time.monotonic())
        with pytest.raises(LoadError, match=r"did not finish within 0\.2 s"):
            await child.finish(0.2)
        assert not psutil.pid_exists(child.pid)
