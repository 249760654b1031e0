"""What ``aguante doctor --attach`` says of telemetry that does not arrive: what, why, and what to do."""

from pathlib import Path

import pytest

from aguante import pipeline
from aguante.doctor import Check
from aguante.runtimes.base import RunningService, Testbed

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
    return {each.name: each for each in await pipeline.examine_pipeline(dead(**given))}


async def test_every_part_that_is_dead_is_named_with_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not the first one alone: whoever mends one wants to know of the next."""
    monkeypatch.setattr(pipeline, "ARRIVES_WITHIN_S", 0.1)
    monkeypatch.setattr(pipeline, "POLL_S", 0.01)
    checks = await examined(telemetry=NOBODY, prometheus=NOBODY, jaeger=NOBODY)
    broken = [name for name, each in checks.items() if each.state == "broken"]
    assert broken == ["entry", "metrics", "relay", "prometheus", "jaeger"]
    assert all(checks[name].mend for name in broken)
    assert "payments-1" in checks["metrics"].found
    assert all(NOBODY in checks[name].found for name in ("entry", "relay", "prometheus", "jaeger"))


async def test_what_was_never_started_is_no_fault() -> None:
    """A testbed without Prometheus and Jaeger is told how to have them."""
    checks = await examined()
    for name in ("prometheus", "jaeger"):
        assert (checks[name].state, checks[name].found) == ("note", "none")
        assert "--with prometheus,jaeger" in checks[name].mend
    assert checks["relay"].state == "note"
