"""Reading a testbed over real HTTP, with services that hang, die or talk nonsense."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web
from click.testing import CliRunner

from aguante.cli.commands.watch import watch_command
from aguante.cli.render.live.read_testbed import (
    RESPONSE_LIMIT_S,
    TEXT_BYTES_MAX,
    Reading,
    read,
    session,
)
from aguante.testbed.runtime import RunningService, Testbed

PAGE = 'a_total{link="x"} 2.0\n'
PROXIES = {
    "x": {
        "name": "x",
        "listen": "127.0.0.1:1",
        "upstream": "127.0.0.1:2",
        "enabled": False,
        "Logger": {},
        "toxics": [],
    }
}


@contextlib.asynccontextmanager
async def server(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def page(body: str, delay_s: float = 0.0) -> web.Application:
    async def metrics(_: web.Request) -> web.Response:
        await asyncio.sleep(delay_s)
        return web.Response(text=body)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    return app


def toxiproxy() -> web.Application:
    app = web.Application()

    async def proxies(_: web.Request) -> web.Response:
        return web.json_response(PROXIES)

    app.router.add_get("/proxies", proxies)
    return app


async def read_of(toxiproxy_url: str, *urls: str) -> Reading:
    services = tuple(
        RunningService(name="s", instance=f"s-{n}", url=url, pid=1, started=0.0)
        for n, url in enumerate(urls)
    )
    testbed = Testbed.model_construct(services=services, toxiproxy=toxiproxy_url, state=Path())
    async with session() as http:
        return await read(http, testbed, 1.0)


async def test_services_and_proxies_are_read_at_once() -> None:
    """The series of each service, and whether each proxy is on."""
    async with server(toxiproxy()) as api, server(page(PAGE)) as one, server(page(PAGE)) as two:
        seen = await read_of(api, one, two)
    assert sorted((series.instance, value) for series, value in seen.values.items()) == [
        ("s-0", 2.0),
        ("s-1", 2.0),
    ]
    assert [(each.name, each.enabled) for each in seen.proxies] == [("x", False)]
    assert (seen.silent, seen.toxiproxy, seen.nothing) == ({}, "", False)


async def test_who_hangs_or_talks_nonsense_is_named_and_holds_up_nobody() -> None:
    """A reading takes its limit at most, and the others are in it."""
    async with (
        server(toxiproxy()) as api,
        server(page(PAGE)) as good,
        server(page(PAGE, 5.0)) as slow,
        server(page("<html>")) as other,
        server(page("# " + "x" * TEXT_BYTES_MAX)) as endless,
    ):
        async with asyncio.timeout(RESPONSE_LIMIT_S + 2):
            seen = await read_of(api, good, slow, other, endless, "http://127.0.0.1:1")
    assert list(seen.instances) == ["s-0"]
    assert seen.silent["s-1"] == "no response within 0.8 s"
    assert seen.silent["s-2"].startswith("ValueError")
    assert seen.silent["s-3"] == f"ValueError: more than {TEXT_BYTES_MAX} bytes"
    assert "ClientConnectorError" in seen.silent["s-4"]
    assert len(seen.values) == 1


async def test_when_nobody_answers_the_reading_says_so() -> None:
    """Then the testbed has ended."""
    seen = await read_of("http://127.0.0.1:1", "http://127.0.0.1:1")
    assert seen.nothing
    assert "gave no answer" in seen.toxiproxy


def test_a_testbed_is_watched_by_what_up_printed_of_it(tmp_path: Path) -> None:
    """As `--attach` and `doctor` take it, also one that this machine did not start; who is silent there is named."""
    nobody = "http://127.0.0.1:9"
    service = RunningService(name="gateway", instance="gateway-1", url=nobody, pid=1, started=0.0)
    elsewhere = Testbed(
        id="elsewhere",
        runtime="native",
        policy="default",
        state=tmp_path,
        gateway=nobody,
        toxiproxy=nobody,
        services=(service,),
        links=(),
        databases=(),
        servers={},
    )
    described = tmp_path / "testbed.json"
    described.write_text(elsewhere.model_dump_json())
    arguments = [str(described), "--once", "--json", "--every", "0.5"]
    told = CliRunner().invoke(watch_command, arguments, standalone_mode=False)
    assert told.exception is None
    picture = json.loads(told.stdout)
    assert picture["testbed"] == "elsewhere"
    assert picture["silent"].keys() == {"gateway-1", "toxiproxy"}
