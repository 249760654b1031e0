"""The same load with plain ``locust``, as somebody without the runner starts it."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from aiohttp import web

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[2]
LIMIT_S = 30.0


async def locust(host: str, seconds: int, **environment: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a headless run."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py"),
        "--headless", "--json", "-u", "2", "-t", f"{seconds}s", "--host", host,
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
    """Rows by route; a 503 is an answer, not a failure; a second user adds no load."""

    async def refuse(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"mechanism": "breaker_open"}, status=503)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", refuse)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        records = tmp_path / "requests.jsonl"
        code, stdout, stderr = await locust(
            f"http://127.0.0.1:{runner.addresses[0][1]}",
            2,
            AGUANTE_RATE_RPS="30",
            AGUANTE_ARRIVALS="fixed",
            AGUANTE_RECORDS=str(records),
        )
    finally:
        await runner.cleanup()
    assert code == 0, stderr
    rows = {row["name"]: row for row in json.loads(stdout)}
    assert sorted(rows) == ["/events/{id}", "/reserve"]
    assert sum(row["num_failures"] for row in rows.values()) == 0
    requests = sum(row["num_requests"] for row in rows.values())
    assert 20 <= requests <= 60
    assert len(records.read_bytes().splitlines()) == requests


async def test_bad_options_end_a_headless_run_at_once() -> None:
    """Exit 3 with the finding, exit 2 where no gateway is."""
    code, _, stderr = await locust("http://127.0.0.1:1", 20, AGUANTE_RATE_RPS="-1")
    assert (code, "rate_rps: found -1; give a number above 0" in stderr) == (3, True)
    code, _, stderr = await locust("http://127.0.0.1:1", 20)
    assert (code, "nothing answers at http://127.0.0.1:1" in stderr) == (2, True)
