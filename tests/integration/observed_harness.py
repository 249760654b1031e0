"""A testbed with a real Prometheus and a real Jaeger, after a run, some lost answers and a crash."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

import aiohttp
import asyncpg

from aguante.drivers.toxiproxy.toxiproxy_driver import ToxiproxyDriver
from aguante.experiment import load_experiment
from aguante.faults.planned_fault import PlannedFault
from aguante.faults.toxiproxy import ToxiproxyFault
from aguante.plan.build import build_plan
from aguante.report.analyse import JudgedRun
from aguante.run.compose_run import parts_on
from aguante.run.orchestrator import run
from aguante.run.parts import RunRequest
from aguante.run.progress import QuietProgress
from aguante.runtimes.attach.attach_runtime import AttachRuntime
from aguante.testbed.runtime import Testbed
from aguante.testbed.testbed_spec import TestbedSpec

PAGE = Path(__file__).parents[2] / "docs" / "observability.md"
RUN_ID = "20260101T000000Z-observed-ab12"
EXPERIMENT = """\
name: observed
title: Payments answers late, and everything about it is asked of Prometheus
learn: A test.
load: {profile: mixed, rate_rps: 45, mix: {reserve: 0.75, read_event: 0.25}}
phases: {warmup_s: 1, baseline_s: 5, fault_s: 8, recovery_s: 5}
faults:
  - {id: slow, toxiproxy: {link: reservations-payments, toxic: latency, latency_ms: 3500, jitter_ms: 200}}
expect:
  - promql: {query: 'gateway:failed_requests:ratio_rate5s', phase: fault, reduce: max, min: 0.3}
  - promql: {query: 'gateway:requests:rate5s', phase: baseline, after_s: 3, reduce: max, min: 10, max: 80}
  - promql: {query: 'sum(aguante_fault_active)', phase: fault, after_s: 1, reduce: min, min: 1, max: 1}
"""
BUYERS = 12
"""At once: the breaker opens at the fifth failure, so that the second attempts of the rest are refused."""


@dataclass(frozen=True)
class Observed:
    """What there is to be asked about."""

    testbed: Testbed
    outcome: JudgedRun
    seen_s: tuple[float, float]
    """From when to when the run alone is seen, epoch seconds."""
    lost: tuple[str, ...]
    """Trace ids of reservations whose payment's answer was lost."""
    crashed: tuple[str, ...]
    """Trace ids of reservations whose owner was killed at work."""


@dataclass(frozen=True)
class Span:
    """One span as Jaeger's API gives it."""

    trace: str
    service: str
    name: str
    tags: Mapping[str, object]
    logs: tuple[Mapping[str, object], ...]
    links: tuple[str, ...] = field(default=())
    """Traces that it follows from."""


async def play_observed(spec: TestbedSpec, testbed: Testbed, parent: Path, runs: Path) -> JudgedRun:
    """One run on a testbed that is up, as ``aguante run --attach`` plays it."""
    file = runs / "observed.yaml"
    file.write_text(EXPERIMENT)
    experiment = load_experiment(file, spec)
    plan = build_plan(experiment, spec, run_id=RUN_ID, seed=7, source=str(file), runtime="attach")
    request = RunRequest(plan, spec, EXPERIMENT.encode(), runs)
    runtime = AttachRuntime(testbed.id, parent=parent)
    return await run(request, parts_on(runtime, request, QuietProgress()), asyncio.Event())


async def buy(testbed: Testbed, event_id: str) -> tuple[int, str]:
    """Status and trace id of one reservation."""
    body = {"user_id": "ann", "event_id": event_id, "quantity": 1}
    limit = aiohttp.ClientTimeout(total=10)
    async with (
        aiohttp.ClientSession(timeout=limit) as session,
        session.post(f"{testbed.gateway}/reserve", json=body) as answer,
    ):
        return answer.status, answer.headers["X-Trace-Id"]


async def until_good(testbed: Testbed, event_id: str) -> None:
    """Buy until it goes well: the breaker that a fault opened is closed again."""
    async with asyncio.timeout(60):
        while (await buy(testbed, event_id))[0] != 200:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.5)


@contextlib.asynccontextmanager
async def broken(testbed: Testbed, toxic: str, **attributes: int) -> AsyncIterator[None]:
    """One toxic on reservations-payments for the time of the body."""
    how = ToxiproxyFault(
        link="reservations-payments", toxic=toxic, attributes=tuple(attributes.items())
    )
    fault = PlannedFault(id=toxic, fault=how, start_s=0, end_s=1)
    driver = ToxiproxyDriver(testbed.toxiproxy, "observed")
    undo = await driver.prepare(fault)
    await driver.apply(fault)
    try:
        yield
    finally:
        await driver.undo(undo)


async def lose_answers(testbed: Testbed, event_id: str) -> tuple[str, ...]:
    """Payments charges and its answer is cut off; the trace ids of those who were told of a failure."""
    async with broken(testbed, "limit_data", bytes=1):
        told = await asyncio.gather(*(buy(testbed, event_id) for _ in range(BUYERS)))
    assert {status for status, _ in told} == {503}
    return tuple(trace for _, trace in told)


async def paying(testbed: Testbed, number: int) -> None:
    """Wait until so many reservations have their seats and wait for their payment's answer."""
    dsn = next(each.dsn for each in testbed.databases if each.name == "reservations")
    connection = await asyncpg.connect(dsn)
    sql = "SELECT count(*) FROM sagas WHERE state = 'RESERVED'"
    async with asyncio.timeout(20):
        while await connection.fetchval(sql) < number:  # noqa: ASYNC110 - a database
            await asyncio.sleep(0.02)
    await connection.close()


def table(title: str) -> dict[str, str]:
    """Question -> what stands in backticks beside it, of one table of the page."""
    section = PAGE.read_text(encoding="utf-8").split(f"## {title}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| (.+?) \| `(.+)` \|$", section, re.MULTILINE))


def bounds() -> dict[str, int]:
    """Label -> how many values at most, from the page."""
    section = PAGE.read_text(encoding="utf-8").split("## Labels and their bounds\n")[1]
    rows = re.findall(r"^\| (`.+?`) \| (\d+) \|", section, re.MULTILINE)
    return {label: int(most) for names, most in rows for label in re.findall(r"`(\w+)`", names)}


async def search(testbed: Testbed, query: str) -> tuple[Span, ...]:
    """Every span of the traces that a search finds."""
    return await _spans(testbed, "/api/traces", parse_qsl(query))


async def trace(testbed: Testbed, trace_id: str) -> tuple[Span, ...]:
    """Every span of one trace; none while Jaeger does not have it."""
    return await _spans(testbed, f"/api/traces/{trace_id}", [])


async def _spans(testbed: Testbed, path: str, asked: list[tuple[str, str]]) -> tuple[Span, ...]:
    limit = aiohttp.ClientTimeout(total=10)
    async with (
        aiohttp.ClientSession(timeout=limit) as session,
        session.get(testbed.jaeger + path, params=asked) as answer,
    ):
        document = json.loads(await answer.text())
    return tuple(span for each in document["data"] or () for span in _of_trace(each))


def _of_trace(found: dict[str, object]) -> Iterator[Span]:
    services = {
        key: process["serviceName"]
        for key, process in found["processes"].items()  # type: ignore[attr-defined]
    }
    for span in found["spans"]:  # type: ignore[attr-defined]
        follows = (e["traceID"] for e in span["references"] if e["refType"] == "FOLLOWS_FROM")
        yield Span(
            trace=span["traceID"],
            service=services[span["processID"]],
            name=span["operationName"],
            tags=_tags(span["tags"]),
            logs=tuple(_tags(log["fields"]) for log in span["logs"]),
            links=tuple(follows),
        )


def _tags(pairs: list[dict[str, object]]) -> dict[str, object]:
    return {str(pair["key"]): pair["value"] for pair in pairs}
