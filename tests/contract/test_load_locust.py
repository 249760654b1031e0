"""The same load with plain ``locust``, without the runner."""

import asyncio
import contextlib
import json
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from load_harness import Handler, http_server

ROOT = Path(__file__).parents[2]
LIMIT_S = 30.0
LOCUST = [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py")]


@contextlib.asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[str]:
    """The URL of a server whose requests ``handler`` gets."""
    async with http_server(handler) as port:
        yield f"http://127.0.0.1:{port}"


def always(status: int, after_s: float = 0.0) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(after_s)
        return web.json_response({"mechanism": "breaker_open"}, status=status)

    return answer


async def locust(host: str, seconds: int, **environment: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a headless run."""
    process = await asyncio.create_subprocess_exec(
        *LOCUST, "--headless", "--json", "-u", "2", "-t", f"{seconds}s", "--host", host,
        cwd=ROOT, env=os.environ | environment, start_new_session=True,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(LIMIT_S):
            stdout, stderr = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, stdout.decode(), stderr.decode()


async def test_locusts_own_statistics_count_arrivals_and_no_expected_failure(
    tmp_path: Path,
) -> None:
    """Rows by route; a 503 is no failure; a second user adds no load, and the schedule is complete."""
    records = tmp_path / "requests.jsonl"
    async with server(always(503)) as host:
        code, stdout, stderr = await locust(
            host, 2, AGUANTE_RATE_RPS="30", AGUANTE_ARRIVALS="fixed", AGUANTE_RECORDS=str(records)
        )
    assert code == 0, stderr
    rows = {row["name"]: row for row in json.loads(stdout)}
    assert sorted(rows) == ["/events/{id}", "/reserve"]
    assert sum(row["num_failures"] for row in rows.values()) == 0
    assert sum(row["num_requests"] for row in rows.values()) == 60
    assert len(records.read_bytes().splitlines()) == 60
    assert "offered 60, sent 60, shed 0, recorded 60; one clock" in stderr


async def test_an_unexpected_status_is_a_failure() -> None:
    """A server that always returns 500: every request failed, reported by status, exit 1."""
    async with server(always(500)) as host:
        code, stdout, stderr = await locust(host, 1, AGUANTE_ARRIVALS="fixed")
    assert code == 1
    assert {row["num_failures"] / row["num_requests"] for row in json.loads(stdout)} == {1.0}
    lines = [line.partition("load: ")[2] for line in stderr.splitlines() if "not expected" in line]
    assert [line.partition(" x ")[0] for line in lines] == ["read_event: 500", "reserve: 500"]


@pytest.mark.parametrize(("exit_code", "ends"), [("", 1), ("0", 0)])
async def test_shed_arrivals_are_reported_and_fail_the_load_unless_allowed(
    tmp_path: Path, exit_code: str, ends: int
) -> None:
    """Shed arrivals are in no statistic of Locust, so they are logged; what was sent is recorded."""
    records = tmp_path / "requests.jsonl"
    settings = {"AGUANTE_EXIT_CODE_ON_SHED": exit_code} if exit_code else {}
    async with server(always(200, after_s=1.2)) as host:
        code, _, stderr = await locust(
            host,
            1,
            AGUANTE_ARRIVALS="fixed",
            AGUANTE_MAX_OUTSTANDING="5",
            AGUANTE_RECORDS=str(records),
            **settings,
        )
    assert "offered 20, sent 5, shed 15, recorded 5; one clock" in stderr
    assert len(records.read_bytes().splitlines()) == 5
    assert code == ends


async def test_bad_options_end_a_headless_run_at_once(tmp_path: Path) -> None:
    """Exit 3 with the error, exit 2 without a gateway."""
    code, _, stderr = await locust("http://127.0.0.1:1", 20, AGUANTE_RATE_RPS="-1")
    assert (code, "rate_rps: found -1; give a number above 0" in stderr) == (3, True)
    code, _, stderr = await locust("http://127.0.0.1:1", 20)
    assert (code, "nothing answers at http://127.0.0.1:1" in stderr) == (2, True)


async def test_records_that_cannot_be_written_are_reported_before_a_request_is_sent(
    tmp_path: Path,
) -> None:
    """With a missing folder: exit 3, no traceback, and no request."""
    asked: list[str] = []

    async def remember(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({})

    path = str(tmp_path / "nowhere" / "requests.jsonl")
    async with server(remember) as host:
        code, _, stderr = await locust(host, 20, AGUANTE_RECORDS=path)
    assert code == 3
    assert f"records: [Errno 2] No such file or directory: '{path}'; name a new file" in stderr
    assert ("Traceback" in stderr, asked) == (False, [])


async def test_a_full_disk_ends_the_load_as_failed() -> None:
    """Load without records is no evidence: exit 1 with the reason, long before the end of the run time."""
    async with server(always(200)) as host:
        code, _, stderr = await locust(host, 600, AGUANTE_RECORDS="/dev/full")
    assert code == 1
    assert "/dev/full: [Errno 28] No space left on device" in stderr
    assert "Traceback" not in stderr


@contextlib.asynccontextmanager
async def page(host: str) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """Locust's web UI without workers: a client and its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *LOCUST, "--host", host, "--web-host", "127.0.0.1", "--web-port", str(port),
        cwd=ROOT, start_new_session=True,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(LIMIT_S), aiohttp.ClientSession() as http:
            yield http, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


async def logged(http: aiohttp.ClientSession, address: str, wanted: str) -> str:
    """The web UI's log, once ``wanted`` is in it and no load runs (its statistics are up to 2 s old)."""
    while True:
        with contextlib.suppress(aiohttp.ClientError):
            async with http.get(f"{address}/logs") as answer:
                log = "\n".join((await answer.json())["master"])
            async with http.get(address) as answer:
                idle = re.search(r'"state": ?"(ready|stopped)"', await answer.text())
            if idle and wanted in log:
                return log
        await asyncio.sleep(0.1)


async def test_the_web_ui_reports_why_a_load_is_refused_and_plays_a_corrected_one() -> None:
    """Rate 0, then no gateway: the reason is in its log and it returns to its form; then a complete load."""
    form = {"user_count": "1", "spawn_rate": "1", "run_time": "1s", "arrivals": "fixed"}
    async with server(always(200)) as host, page(host) as (http, address):
        await logged(http, address, "Starting web interface")
        for change, wanted in (
            ({"rate_rps": "0"}, "rate_rps: found 0; give a number above 0"),
            (
                {"rate_rps": "20", "host": "http://127.0.0.1:1"},
                "nothing answers at http://127.0.0.1:1",
            ),
            ({"host": host}, "offered 20, sent 20, shed 0, recorded 20; one clock"),
        ):
            async with http.post(f"{address}/swarm", data=form | change) as answer:
                assert answer.status == 200
            log = await logged(http, address, wanted)
    assert log.count("load: offered ") == 1
