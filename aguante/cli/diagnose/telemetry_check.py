"""Check of the telemetry of a running testbed: send one request and follow it."""

import asyncio
import secrets
import time
from collections.abc import Mapping

import aiohttp

from aguante.cli.diagnose.check import Check
from aguante.clients.prometheus_queries import Prometheus, PrometheusError
from aguante.collect.metrics_scraper import parse, spans_dropped
from aguante.testbed.runtime import Testbed

ARRIVES_WITHIN_S = 5.0
"""Ample: spans are exported twice a second, and Jaeger shows them at once."""
POLL_S = 0.25
ANSWER_LIMIT_S = 2.0
HOW_TO_GET = "started by `aguante up --with prometheus,jaeger`, and part of `docker compose up`"


async def examine_telemetry(testbed: Testbed) -> tuple[Check, ...]:
    """Check metrics, spans, relay, Prometheus and Jaeger; never raises for something that is broken."""
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
    """Send one traced request; any response will do, even a 404."""
    headers = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}
    try:
        async with http.get(testbed.gateway, headers=headers) as answer:
            found = f"{testbed.gateway} answered {answer.status}, trace {trace_id}"
            return Check(name="entry", state="ok", found=found)
    except (aiohttp.ClientError, TimeoutError) as error:
        fix = "see `aguante ps`; `aguante heal` removes a fault that was left behind"
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
        return _broken("metrics", "; ".join(silent), "see the log of the service")
    return Check(name="metrics", state="ok", found=f"{len(testbed.services)} services respond")


async def _spans(testbed: Testbed) -> Check:
    dropped = await spans_dropped(testbed)
    unread = [name for name, count in dropped.items() if count is None]
    if unread:
        found = f"{', '.join(unread)}: no metric for dropped spans (aguante_spans_dropped_total)"
        return Check(name="spans", state="note", found=found)
    lost = {name: count for name, count in dropped.items() if count}
    if lost:
        found = ", ".join(f"{name} dropped {count}" for name, count in lost.items())
        fix = "the collector was down or too slow at some time since the start; a run counts its own dropped spans"
        return Check(name="spans", state="note", found=found, fix=fix)
    return Check(name="spans", state="ok", found="no service has dropped any")


async def _relay(http: aiohttp.ClientSession, testbed: Testbed) -> Check:
    if not testbed.telemetry:
        return Check(name="relay", state="note", found="none: the runner receives spans directly")
    try:
        async with http.get(f"{testbed.telemetry}/healthz") as answer:
            answer.raise_for_status()
    except (aiohttp.ClientError, TimeoutError) as error:
        fix = (
            "start it (`docker compose start telemetry`); without it no run can attribute failures"
        )
        return _broken("relay", f"{testbed.telemetry}: {_words(error)}", fix)
    return Check(name="relay", state="ok", found=testbed.telemetry)


async def _prometheus(testbed: Testbed) -> Check:
    if not testbed.prometheus:
        return Check(name="prometheus", state="note", found="none", fix=HOW_TO_GET)
    try:
        async with Prometheus(testbed.prometheus) as prometheus:
            targets = await prometheus.now("up")
            flags, rules = await prometheus.flags(), await prometheus.rules()
    except PrometheusError as error:
        return _broken("prometheus", str(error), "see its log")
    down = sorted(f"{each['job']} {each['instance']}" for each, up in targets if not up)
    if down or not targets:
        found = f"cannot scrape {', '.join(down)}" if down else "has no targets yet"
        return _broken("prometheus", found, f"see {testbed.prometheus}/targets")
    if without := missing(flags):
        lost = "; ".join(f"without --{flag}: {what}" for flag, what in without.items())
        return _broken("prometheus", lost, "start it with these flags, as docker-compose.yml does")
    if bad := [f"{rule.name}: {rule.error}" for rule in rules if rule.health == "err"]:
        found = f"{len(bad)} of {len(rules)} rules fail: {bad[0]}"
        return _broken("prometheus", found, f"see {testbed.prometheus}/rules")
    found = f"{len(targets)} targets scraped, {len(rules)} rules evaluated"
    return Check(name="prometheus", state="ok", found=found)


def missing(flags: Mapping[str, str]) -> dict[str, str]:
    """Required flags that are not set -> what does not work without them.

    >>> missing({"web.enable-otlp-receiver": "true", "enable-feature": "otel,exemplar-storage"})
    {}
    """
    lost = {}
    if flags.get("web.enable-otlp-receiver") != "true":
        lost["web.enable-otlp-receiver"] = "runs cannot report their phases and faults"
    if "exemplar-storage" not in flags.get("enable-feature", "").split(","):
        lost["enable-feature=exemplar-storage"] = "data points have no link to their trace"
    return lost


async def _jaeger(http: aiohttp.ClientSession, testbed: Testbed, trace_id: str) -> Check:
    if not testbed.jaeger:
        return Check(name="jaeger", state="note", found="none", fix=HOW_TO_GET)
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
    return _broken("jaeger", why, "check `relay` and `spans` above, then the log of Jaeger")


def _broken(name: str, found: str, fix: str) -> Check:
    return Check(name=name, state="broken", found=found, fix=fix)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
