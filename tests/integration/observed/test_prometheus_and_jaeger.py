"""What happened in a run, asked of a real Prometheus and a real Jaeger, by the words of docs/observability.md."""

import asyncio
import json
import math
import shutil
import signal
import time
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl

import aiohttp
import pytest
from observed_harness import (
    RUN_ID,
    Observed,
    Span,
    bounds,
    search,
    table,
    trace,
)

from aguante.cli.diagnose.telemetry_check import examine_telemetry
from aguante.clients.prometheus_queries import Prometheus
from aguante.core.own_program import aguante_command
from aguante.run.reopen import opened
from aguante.run_folder.folder import RunFolder
from aguante.run_folder.run_log import RunLog, read_run_log
from aguante.verdict.verdict import Verdict

PROMQL = table("Question -> PromQL")
SEARCHES = table("Question -> Jaeger search")
FAULT_END_S = 14.0
"""Of the experiment, seconds since t0."""
OPEN_LIMIT_S = 60.0
ANSWERS = 'http_server_request_duration_seconds_count{service="gateway"}'

FORESEEN = (
    "http_server_request_duration_seconds_count",
    "http_client_request_duration_seconds_count",
    "db_client_operation_duration_seconds_count",
    "aguante_calls_rejected_total",
    "aguante_retries_total",
    "aguante_compensations_total",
    "aguante_saga_transitions_total",
)


@pytest.fixture(scope="module")
async def prometheus(observed: Observed) -> AsyncIterator[Prometheus]:
    """Prometheus of that testbed."""
    async with Prometheus(observed.testbed.prometheus) as asked:
        yield asked


@pytest.fixture(scope="module")
def facts(observed: Observed) -> RunLog:
    """When things really happened in the run."""
    return read_run_log(observed.outcome.folder.events)


def epoch_s(facts: RunLog, at_s: float) -> float:
    assert facts.epoch_ns
    return facts.epoch_ns / 1e9 + at_s


async def test_promql_expectations_are_met_on_a_testbed_that_was_borrowed(
    observed: Observed,
) -> None:
    """Asked of the testbed's own Prometheus after the run, and judged from the run folder."""
    verdict: Verdict = observed.outcome.verdict
    assert [(each.kind, each.outcome) for each in verdict.expectations] == [("promql", "met")] * 3


@pytest.mark.parametrize("question", PROMQL)
async def test_each_question_has_its_promql(
    question: str, prometheus: Prometheus, facts: RunLog
) -> None:
    """Every row of the page gives numbers at the end of the fault."""
    found = await prometheus.now(PROMQL[question], epoch_s(facts, FAULT_END_S - 0.2))
    assert found, PROMQL[question]
    assert not all(math.isnan(value) for _, value in found)


async def test_the_rows_on_the_faults_time_say_from_when_to_when(
    prometheus: Prometheus, facts: RunLog
) -> None:
    """Asked after the run, to a step of the query."""
    for question, at_s in (
        ("When did the fault start (epoch seconds)?", facts.applied_s("slow")),
        ("When did the fault end?", facts.undone_s("slow")),
    ):
        assert at_s is not None
        ((labels, said_s),) = await prometheus.now(PROMQL[question], epoch_s(facts, 22))
        assert labels["link"] == "reservations-payments"
        assert said_s == pytest.approx(epoch_s(facts, at_s), abs=1.2), question


async def test_the_row_on_the_difference_names_what_the_fault_brought(
    prometheus: Prometheus, facts: RunLog
) -> None:
    """More 503 by the open breaker than in the baseline, which had none; fewer 200s; nothing of what never came."""
    asked = PROMQL["How far is each code and mechanism above the baseline (responses per second)?"]
    added = {
        (labels["http_response_status_code"], labels.get("error_type", "")): value
        for labels, value in await prometheus.now(asked, epoch_s(facts, FAULT_END_S - 0.2))
    }
    assert added["503", "breaker_open"] > 2
    assert added["200", ""] < -2
    assert ("409", "sold_out") not in added


@pytest.mark.parametrize("label", sorted(bounds().keys() - {"to"}))
async def test_no_label_has_more_values_than_its_bound(label: str, prometheus: Prometheus) -> None:
    """After all that was played here; the relay is not scraped natively, so its own label is not there."""
    query = f'count(count by ({label}) ({{job="services", {label}!=""}}))'
    ((_, found),) = await prometheus.now(f"max_over_time(({query})[3m:1s])")
    assert 1 <= found <= bounds()[label]


async def test_prometheus_counts_what_the_client_counted(
    observed: Observed, prometheus: Prometheus, facts: RunLog
) -> None:
    """Answers by status and mechanism over the whole run are those of verdict.json, but for the last scrape."""
    counted: dict[tuple[str, str], float] = {}
    for labels, value in await prometheus.now(ANSWERS, epoch_s(facts, 19 + 6)):
        key = (labels["http_response_status_code"], labels.get("error_type", ""))
        counted[key] = counted.get(key, 0) + value
    seen = answers_of(observed.outcome.verdict)
    assert seen.keys() == {key for key, n in counted.items() if n}
    assert {key: counted[key] for key in seen} == pytest.approx(seen, abs=2)


async def test_the_row_of_codes_counts_what_the_verdict_counts(
    observed: Observed, prometheus: Prometheus, facts: RunLog
) -> None:
    """Over the whole run `increase` misses no burst of a kind that had not come before; it extrapolates by a step."""
    asked = PROMQL["Which status codes did clients get, and from which mechanism?"].replace(
        "[10s]", "[29s]"
    )
    shown = {
        (labels["http_response_status_code"], labels.get("error_type", "")): value
        for labels, value in await prometheus.now(asked, epoch_s(facts, 19 + 6))
    }
    counted = answers_of(observed.outcome.verdict)
    assert {"429", "503", "504"} <= {status for status, _ in counted}
    assert shown.keys() == counted.keys()
    for key, n in counted.items():
        assert shown[key] == pytest.approx(n, rel=2 / 29, abs=2), key


@pytest.mark.parametrize("metric", FORESEEN)
async def test_no_series_of_a_failure_begins_with_the_failure(
    metric: str, observed: Observed, prometheus: Prometheus
) -> None:
    """After a run, lost answers and a crash: all that there is was there before the run, at 0."""
    began_s, _ = observed.seen_s
    asked = f'{metric}{{job="services"}}'
    before = {frozenset(e.items()) for e, _ in await prometheus.now(asked, began_s)}
    now = {frozenset(e.items()) for e, _ in await prometheus.now(asked, time.time())}
    assert len(now) > 1
    assert [dict(each) for each in now - before] == []


def answers_of(verdict: Verdict) -> dict[tuple[str, str], int]:
    """(status, mechanism) -> answers in the whole run, by the client's count."""
    seen: dict[tuple[str, str], int] = {}
    for phase in verdict.phases:
        for cause in phase.causes:
            key = (str(cause.status), cause.mechanism)
            seen[key] = seen.get(key, 0) + cause.requests
    return seen


async def test_the_faults_window_is_drawn_where_it_was(
    prometheus: Prometheus, facts: RunLog
) -> None:
    """To a tenth of a second: pushed at the change, not found at the next scrape."""
    applied_s, undone_s = facts.applied_s("slow"), facts.undone_s("slow")
    assert applied_s is not None
    assert undone_s is not None
    on = "max(aguante_fault_active)"
    for at_s, value in (
        (applied_s - 0.02, 0),
        (applied_s + 0.3, 1),
        (undone_s - 0.05, 1),
        (undone_s + 0.3, 0),
    ):
        ((_, found),) = await prometheus.now(on, epoch_s(facts, at_s))
        assert found == value, at_s


async def test_each_phase_is_said_while_it_lasts(prometheus: Prometheus, facts: RunLog) -> None:
    """And after the run none is."""
    for at_s, phase in ((0.5, "warmup"), (3, "baseline"), (10, "fault"), (17, "recovery")):
        found = await prometheus.now("aguante_phase == 1", epoch_s(facts, at_s))
        assert [(e["phase"], e["run_id"], e["experiment"]) for e, _ in found] == [
            (phase, RUN_ID, "observed")
        ]
    assert await prometheus.now("aguante_phase == 1", epoch_s(facts, 21)) == ()
    assert len(await prometheus.now("aguante_phase == 0", epoch_s(facts, 21))) == 4


async def test_the_burn_rate_alert_fires_in_the_fault_and_is_silent_again_soon(
    prometheus: Prometheus, facts: RunLog
) -> None:
    """Not before the fault; and later its short window has ended it while the long one still sees too much."""
    firing = 'ALERTS{alertname="GatewayBurnsItsBudgetFast", alertstate="firing"}'
    fault_s = epoch_s(facts, 6)
    fired = [at_s for at_s, _ in await values(prometheus, firing, epoch_s(facts, 0), time.time())]
    assert fired
    assert fault_s < fired[0] < epoch_s(facts, FAULT_END_S)
    cleared = f"(gateway:failed_requests:ratio_rate1m > 0.144) unless on() {firing}"
    assert await values(prometheus, cleared, epoch_s(facts, FAULT_END_S), fired[0] + 60)


async def values(
    prometheus: Prometheus, query: str, start_s: float, end_s: float
) -> tuple[tuple[float, str], ...]:
    """The values of the one series that a query gives over a window; none where it gives none."""
    found = await prometheus.over(query, start_s, min(end_s, time.time()))
    assert len(found) <= 1, query
    return found[0].values if found else ()


async def test_an_exemplar_leads_to_its_trace(
    observed: Observed, prometheus: Prometheus, facts: RunLog
) -> None:
    """From a bucket of 504s at the gateway, by the trace id of its exemplar, to a trace that Jaeger has."""
    query = 'http_server_request_duration_seconds_bucket{service="gateway",http_response_status_code="504"}'
    found = await prometheus.exemplars(query, epoch_s(facts, 0), time.time())
    assert found
    for each in found[:3]:
        spans = await trace(observed.testbed, each.labels["trace_id"])
        answered = {
            s.tags.get("http.response.status_code") for s in spans if s.service == "gateway"
        }
        assert 504 in answered


@pytest.mark.parametrize("question", SEARCHES)
async def test_each_question_has_its_search(question: str, observed: Observed) -> None:
    """Every row of the page finds traces, and each of them has what was searched for."""
    reservation = await a_reservation(observed)
    asked = SEARCHES[question].replace("RUN", RUN_ID).replace("EXPERIMENT", "observed")
    asked = asked.replace("RESERVATION", reservation)
    found = await search(observed.testbed, asked)
    assert found, asked
    wanted = json.loads(dict(parse_qsl(asked)).get("tags", "{}"))
    right = {span.trace for span in found if has(span, wanted)}
    assert {span.trace for span in found} == right, asked


async def test_the_search_for_a_run_finds_all_of_its_traces(observed: Observed) -> None:
    """One for each request that was sent, not the 20 that Jaeger gives by itself."""
    asked = SEARCHES["All traces of a run"].replace("RUN", RUN_ID)
    found = {span.trace for span in await search(observed.testbed, asked)}
    sent = sum(phase.requests for phase in observed.outcome.verdict.phases)
    assert sent > 100
    assert len(found) == pytest.approx(sent, abs=2)


def has(span: Span, wanted: dict[str, str]) -> bool:
    """Whether a span, with its events, has every tag; a boolean as Jaeger writes it."""
    there = [*span.tags.items(), *(pair for log in span.logs for pair in log.items())]
    said = {(key, str(value).lower() if value is True else str(value)) for key, value in there}
    return set(wanted.items()) <= said


async def a_reservation(observed: Observed) -> str:
    spans = await trace(observed.testbed, observed.lost[0])
    return next(str(s.tags["aguante.reservation_id"]) for s in spans if s.name == "compensate")


async def test_one_trace_tells_the_whole_story_of_a_failure(observed: Observed) -> None:
    """The attempt that was cut off, the breaker's refusal of the next, the release, the refund until it held."""
    stories = [await trace(observed.testbed, each) for each in observed.lost]
    refused = [
        story
        for story in stories
        if any(log.get("error.type") == "breaker_open" for span in story for log in span.logs)
        and attempts(story, "POST /pay")
    ]
    assert refused, "of twelve at once the breaker refuses some second attempts"
    for story in refused:
        assert attempts(story, "POST /pay") == [(1, "disconnected")]
        assert {span.service for span in story if span.name == "POST /release"} == {
            "reservations",
            "inventory",
        }
        numbers, outcomes = zip(*attempts(story, "POST /refund"), strict=True)
        assert numbers == tuple(range(1, len(numbers) + 1))
        assert outcomes[-1] is None
        (compensate,) = [span for span in story if span.name == "compensate"]
        assert compensate.tags["aguante.reservation_id"]


def attempts(story: tuple[Span, ...], name: str) -> list[tuple[int, object]]:
    """(number, error) of a caller's attempts, in order."""
    found = [s for s in story if s.name == name and s.tags.get("span.kind") == "client"]
    pairs = ((int(str(s.tags["aguante.attempt"])), s.tags.get("error.type")) for s in found)
    return sorted(pairs, key=lambda pair: pair[0])


async def test_what_a_crash_left_is_linked_to_the_trace_that_it_finishes(
    observed: Observed,
) -> None:
    """Another process takes it up, in a trace of its own: the link leads back to the request."""
    found = await search(observed.testbed, f"{SEARCHES[CRASH]}&limit=100")
    recovered = [span for span in found if set(span.links) & set(observed.crashed)]
    assert {link for span in recovered for link in span.links} == set(observed.crashed)
    assert {span.name for span in recovered} == {"recover"}
    assert {span.trace for span in recovered}.isdisjoint(observed.crashed)
    for span in recovered:
        story = await trace(observed.testbed, span.trace)
        assert {"recover", "compensate", "POST /release"} <= {each.name for each in story}


@pytest.fixture(scope="module")
def over(observed: Observed) -> RunFolder:
    """The run's folder, with the samples that the runner keeps there at its end."""
    folder = observed.outcome.folder
    shutil.copytree(folder.root.parent / "samples", folder.samples)
    return folder


async def test_a_run_that_is_over_is_opened_again(
    observed: Observed, over: RunFolder, facts: RunLog
) -> None:
    """From its folder alone, in servers of their own: the same samples, exemplars and traces."""
    folder = over
    async with opened(folder) as where, Prometheus(where.prometheus) as asked:
        at_s = epoch_s(facts, FAULT_END_S - 0.2)
        assert len(await asked.now('ALERTS{alertstate="firing"}', at_s)) >= 1
        (first, *_) = await asked.exemplars(
            'http_server_request_duration_seconds_bucket{http_response_status_code="504"}',
            epoch_s(facts, 0),
            epoch_s(facts, 19),
        )
        again = observed.testbed.model_copy(update={"jaeger": where.jaeger})
        assert {s.trace for s in await trace(again, first.labels["trace_id"])} == {
            first.labels["trace_id"]
        }
    assert not list(folder.root.glob("**/prometheus.yml"))


async def test_observe_stays_open_until_it_is_told_to_end(over: RunFolder, facts: RunLog) -> None:
    """Both answer at the addresses that it prints, for as long as it runs; Ctrl-C ends them too, and exits 0."""
    argv = aguante_command("reopen", over.root.name, "--runs", str(over.root.parent))
    command = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert command.stdout is not None
    assert command.stderr is not None
    async with asyncio.timeout(OPEN_LIMIT_S):
        told = [(await command.stdout.readline()).decode().split() for _ in range(2)]
        assert await command.stderr.readline() == b"Press Ctrl-C to end.\n"
        jaeger, prometheus = (address for _, address in told)
        async with Prometheus(prometheus) as asked, aiohttp.ClientSession(jaeger) as http:
            at_s = epoch_s(facts, FAULT_END_S - 0.2)
            assert await asked.now('ALERTS{alertstate="firing"}', at_s)
            async with http.get("/api/services") as answer:
                assert "gateway" in (await answer.json())["data"]
            command.send_signal(signal.SIGINT)
            assert await command.wait() == 0
            with pytest.raises(aiohttp.ClientConnectorError):
                await http.get("/api/services")


CRASH = "What did a crash leave unfinished, and which process finished it?"


async def test_the_doctor_follows_a_request_through_the_whole_pipeline(observed: Observed) -> None:
    """Its trace arrives in Jaeger, and every target is scraped; what a killed service lost is told, and no more."""
    states = {each.name: each.state for each in await examine_telemetry(observed.testbed)}
    spans = states.pop("spans")
    assert states == dict.fromkeys(("entry", "metrics", "relay", "prometheus", "jaeger"), "ok")
    assert spans in ("ok", "note")
