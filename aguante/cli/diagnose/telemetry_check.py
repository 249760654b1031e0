"""Whether telemetry of a running testbed arrives where it should: one request is sent, and followed."""

import asyncio
import secrets
import time
from collections.abc import Mapping

import aiohttp

from aguante.cli.diagnose.machine_check import Check
from aguante.clients.prometheus_queries import Prometheus, PrometheusError
from aguante.collect.metrics_scraper import parse, spans_dropped
from aguante.testbed.runtime import Testbed

ARRIVES_WITHIN_S = 5.0
"""Spans are exported twice a second; Jaeger shows them at once."""
POLL_S = 0.25
ANSWER_LIMIT_S = 2.0
HOW_TO_HAVE = "`aguante up --with prometheus,jaeger` starts them; `docker compose up` has both"


async def examine_pipeline(testbed: Testbed) -> tuple[Check, ...]:
    """Metrics, spans, relay, Prometheus and Jaeger of a testbed that runs; never raises for what is broken."""
    limit = aiohttp.ClientTimeout(total=ANSWER_LIMIT_S)
    async with aiohttp.ClientSession(timeout=limit) as http:
        trace_id = secrets.token_hex(16)
        sent = await _probe(http, testbed, trace_id)
        return (
            sent,
            await _metrics(http, testbed),
            await _spans(testbed),
            await _relay(http, testbed),
            await _prometheus(testbed),
            await _jaeger(http, testbed, trace_id),
        )


async def _probe(http: aiohttp.ClientSession, testbed: Testbed, trace_id: str) -> Check:
    """Any answer will do, a 404 too: it is the trace that is wanted."""
    headers = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}
    try:
        async with http.get(testbed.gateway, headers=headers) as answer:
            found = f"{testbed.gateway} answered {answer.status}, trace {trace_id}"
            return Check(name="entry", state="ok", found=found)
    except (aiohttp.ClientError, TimeoutError) as error:
        fix = "see `aguante ps`, and `aguante heal` for a fault that was injected and left"
        return _broken("entry", f"{testbed.gateway}: {_words(error)}", fix)


async def _metrics(http: aiohttp.ClientSession, testbed: Testbed) -> Check:
    silent = []
    for service in testbed.services:
        try:
            async with http.get(f"{service.url}/metrics", headers={"Accept": "text/plain"}) as got:
                got.raise_for_status()
                parse(await got.text())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            silent.append(f"{service.instance}: {_words(error)}")
    if silent:
        return _broken("metrics", "; ".join(silent), "its log says why it does not answer")
    return Check(name="metrics", state="ok", found=f"{len(testbed.services)} services answer")


async def _spans(testbed: Testbed) -> Check:
    dropped = await spans_dropped(testbed)
    unread = [name for name, count in dropped.items() if count is None]
    if unread:
        found = f"{', '.join(unread)}: no count of lost spans (aguante_spans_dropped_total)"
        return Check(name="spans", state="note", found=found)
    lost = {name: count for name, count in dropped.items() if count}
    if lost:
        found = ", ".join(f"{name} lost {count}" for name, count in lost.items())
        fix = "since its start: the collector was away or too slow; runs judge what they lost themselves"
        return Check(name="spans", state="note", found=found, fix=fix)
    return Check(name="spans", state="ok", found="no service has lost one")


async def _relay(http: aiohttp.ClientSession, testbed: Testbed) -> Check:
    if not testbed.telemetry:
        return Check(name="relay", state="note", found="none: spans go to the runner itself")
    try:
        async with http.get(f"{testbed.telemetry}/healthz") as answer:
            answer.raise_for_status()
    except (aiohttp.ClientError, TimeoutError) as error:
        fix = "start it again (`docker compose start telemetry`): until then no run can attribute a failure"
        return _broken("relay", f"{testbed.telemetry}: {_words(error)}", fix)
    return Check(name="relay", state="ok", found=testbed.telemetry)


async def _prometheus(testbed: Testbed) -> Check:
    if not testbed.prometheus:
        return Check(name="prometheus", state="note", found="none", fix=HOW_TO_HAVE)
    try:
        async with Prometheus(testbed.prometheus) as prometheus:
            targets = await prometheus.now("up")
            flags, rules = await prometheus.flags(), await prometheus.rules()
    except PrometheusError as error:
        return _broken("prometheus", str(error), "its log says why")
    down = sorted(f"{each['job']} {each['instance']}" for each, up in targets if not up)
    if down or not targets:
        found = f"cannot scrape {', '.join(down)}" if down else "it scrapes nothing yet"
        return _broken("prometheus", found, f"{testbed.prometheus}/targets says why")
    if without := missing(flags):
        lost = "; ".join(f"without --{flag}: {what}" for flag, what in without.items())
        return _broken("prometheus", lost, "start it with that, as docker-compose.yml does")
    if bad := [f"{rule.name}: {rule.error}" for rule in rules if rule.health == "err"]:
        found = f"{len(bad)} of {len(rules)} rules fail: {bad[0]}"
        return _broken("prometheus", found, f"{testbed.prometheus}/rules says why")
    found = f"{len(targets)} targets are scraped, {len(rules)} rules are reckoned"
    return Check(name="prometheus", state="ok", found=found)


def missing(flags: Mapping[str, str]) -> dict[str, str]:
    """What it must be started with and was not -> what is lost by that.

    >>> missing({"web.enable-otlp-receiver": "true", "enable-feature": "otel,exemplar-storage"})
    {}
    """
    lost = {}
    if flags.get("web.enable-otlp-receiver") != "true":
        lost["web.enable-otlp-receiver"] = "no run can tell it its phases and faults"
    if "exemplar-storage" not in flags.get("enable-feature", "").split(","):
        lost["enable-feature=exemplar-storage"] = "no point leads to its trace"
    return lost


async def _jaeger(http: aiohttp.ClientSession, testbed: Testbed, trace_id: str) -> Check:
    if not testbed.jaeger:
        return Check(name="jaeger", state="note", found="none", fix=HOW_TO_HAVE)
    deadline, why = time.monotonic() + ARRIVES_WITHIN_S, ""
    while time.monotonic() < deadline:
        try:
            async with http.get(f"{testbed.jaeger}/api/traces/{trace_id}") as answer:
                if answer.status == 200:
                    return Check(name="jaeger", state="ok", found=f"has trace {trace_id}")
                why = f"trace {trace_id} did not arrive within {ARRIVES_WITHIN_S:g} s"
        except (aiohttp.ClientError, TimeoutError) as error:
            why = f"{testbed.jaeger}: {_words(error)}"
        await asyncio.sleep(POLL_S)
    return _broken("jaeger", why, "look at `relay` and `spans` above, then at its log")


def _broken(name: str, found: str, fix: str) -> Check:
    return Check(name=name, state="broken", found=found, fix=fix)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
