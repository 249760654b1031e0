"""What ``aguante doctor --attach`` says of telemetry that does not arrive: what, why, and what to do."""

from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from aguante.cli.diagnose import telemetry_check as pipeline
from aguante.cli.diagnose.machine_check import Check
from aguante.testbed.runtime import RunningService, Testbed

NOBODY = "http://127.0.0.1:9"
"""The discard port: refused at once."""


def dead(**given: str) -> Testbed:
    service = RunningService(name="payments", instance="payments-1", url=NOBODY, pid=1, started=0.0)
    return Testbed(
        id="000-test",
        runtime="native",
        policy="default",
        gateway=NOBODY,
        toxiproxy=NOBODY,
        services=(service,),
        links=(),
        databases=(),
        servers={},
        state=Path("/nowhere"),
        **given,
    )


async def examined(**given: str) -> dict[str, Check]:
    return {each.name: each for each in await pipeline.examine_telemetry(dead(**given))}


async def test_every_part_that_is_dead_is_named_with_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not the first one alone: whoever fixes one wants to know of the next."""
    monkeypatch.setattr(pipeline, "ARRIVES_WITHIN_S", 0.1)
    monkeypatch.setattr(pipeline, "POLL_S", 0.01)
    checks = await examined(telemetry=NOBODY, prometheus=NOBODY, jaeger=NOBODY)
    broken = [name for name, each in checks.items() if each.state == "broken"]
    assert broken == ["entry", "metrics", "relay", "prometheus", "jaeger"]
    assert all(checks[name].fix for name in broken)
    assert "payments-1" in checks["metrics"].found
    assert all(NOBODY in checks[name].found for name in ("entry", "relay", "prometheus", "jaeger"))


async def test_what_was_never_started_is_no_fault() -> None:
    """A testbed without Prometheus and Jaeger is told how to have them."""
    checks = await examined()
    for name in ("prometheus", "jaeger"):
        assert (checks[name].state, checks[name].found) == ("note", "none")
        assert "--with prometheus,jaeger" in checks[name].fix
    assert checks["relay"].state == "note"


ALL = {"web.enable-otlp-receiver": "true", "enable-feature": "exemplar-storage"}
GOOD = {"name": "gateway:requests:rate5s", "health": "ok"}
BAD = {"name": "BreakerOpen", "health": "err", "lastError": "many-to-many"}


@pytest.mark.parametrize(
    ("flags", "rule", "state", "said"),
    [
        (ALL, GOOD, "ok", "1 targets scraped, 1 rules evaluated"),
        (ALL | {"enable-feature": "otel,exemplar-storage"}, GOOD, "ok", "1 rules"),
        (ALL | {"web.enable-otlp-receiver": "false"}, GOOD, "broken", "--web.enable-otlp-receiver"),
        (ALL | {"enable-feature": ""}, GOOD, "broken", "--enable-feature=exemplar-storage"),
        (ALL, BAD, "broken", "1 of 1 rules fail: BreakerOpen: many-to-many"),
    ],
)
async def test_a_prometheus_that_cannot_do_its_part_is_named(
    flags: dict[str, str], rule: dict[str, str], state: str, said: str
) -> None:
    """It scrapes all, and cannot be told of phases, keeps no exemplars, or cannot reckon a rule."""
    up = {"metric": {"job": "services", "instance": "payments-1"}, "value": [0, "1"]}
    answers: dict[str, object] = {
        "query": {"resultType": "vector", "result": [up]},
        "status/flags": flags,
        "rules": {"groups": [{"rules": [rule]}]},
    }

    async def answer(request: web.Request) -> web.Response:
        data = answers[request.path.removeprefix("/api/v1/")]
        return web.json_response({"status": "success", "data": data})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        check = (await examined(prometheus=str(server.make_url("")).rstrip("/")))["prometheus"]
    assert check.state == state
    assert said in check.found
    assert bool(check.fix) == (state == "broken")
