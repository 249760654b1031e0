"""Which queries an experiment sends to Prometheus, and what is stored of the results."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from aguante.collect.promql_samples import (
    NO_PROMETHEUS,
    SETTLE_S,
    Query,
    queries_of,
    read_promql,
    run_queries,
    scraped_in_s,
    write_promql,
)
from aguante.expectations.registry import Clause
from aguante.experiment import Experiment, load_experiment
from aguante.plan.build import build_plan
from aguante.testbed.testbed_spec import TestbedSpec

EPOCH_S = 1_700_000_000.0
QUERY = Query("sum(up)", 8.0, 10.0)
SLOW = Path(__file__).parents[1] / "payments-slow.yaml"


def series(*values: tuple[float, str], **labels: str) -> dict[str, object]:
    return {"metric": labels, "values": [[EPOCH_S + at_s, value] for at_s, value in values]}


ANSWERS: dict[str, tuple[int, object]] = {
    "sum(up)": (200, {"status": "success", "data": {"result": [series((8, "5"), (9, "NaN"))]}}),
    "up": (
        200,
        {"status": "success", "data": {"result": [series((8, "1"), job=f"{n}") for n in range(7)]}},
    ),
    "none": (200, {"status": "success", "data": {"result": []}}),
    "wrong": (400, {"status": "error", "errorType": "bad_data", "error": "parse error: wrong"}),
    "html": (502, "<html>"),
}


@pytest.fixture
async def prometheus() -> AsyncIterator[tuple[str, list[dict[str, str]]]]:
    """A server that responds as Prometheus does, and the queries that it received."""
    seen: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        seen.append(form)
        status, body = ANSWERS[form["query"]]
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text)

    app = web.Application()
    app.router.add_post("/api/v1/query_range", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/"), seen


async def test_a_query_covers_its_window_by_the_wall_clock(
    prometheus: tuple[str, list[dict[str, str]]],
) -> None:
    """One point per second, stored in seconds since t0; a value that is not a number is None."""
    address, seen = prometheus
    (line,) = await run_queries((QUERY,), address, EPOCH_S)
    assert seen == [
        {"query": "sum(up)", "start": "1700000008.000", "end": "1700000010.000", "step": "1.0"}
    ]
    assert (line.series, line.points, line.error) == (1, ((8.0, 5.0), (9.0, None)), "")


async def test_several_series_are_counted_and_some_are_named(
    prometheus: tuple[str, list[dict[str, str]]],
) -> None:
    """Their values are not stored, since only one series is a valid result."""
    (line,) = await run_queries((Query("up", 8, 10),), prometheus[0], EPOCH_S)
    assert (line.series, len(line.labels), line.points) == (7, 5, ())


@pytest.mark.parametrize(
    ("query", "why"),
    [("wrong", "parse error: wrong"), ("html", "is not Prometheus")],
)
async def test_a_failed_query_is_stored_with_its_error(
    query: str, why: str, prometheus: tuple[str, list[dict[str, str]]]
) -> None:
    """The other queries are sent all the same."""
    broken, good = await run_queries((Query(query, 8, 10), QUERY), prometheus[0], EPOCH_S)
    assert why in broken.error
    assert good.error == ""


async def test_a_missing_prometheus_is_reported() -> None:
    """If it does not respond, the error has its address; if there is none, how to get one."""
    (refused,) = await run_queries((QUERY,), "http://127.0.0.1:9", EPOCH_S)
    (absent,) = await run_queries((QUERY,), "", EPOCH_S)
    assert "http://127.0.0.1:9 did not respond" in refused.error
    assert absent.error == NO_PROMETHEUS


async def test_what_is_written_is_read_back(
    prometheus: tuple[str, list[dict[str, str]]], tmp_path: Path
) -> None:
    """An experiment without queries leaves no file."""
    lines = await run_queries((QUERY, Query("none", 1, 2)), prometheus[0], EPOCH_S)
    write_promql(tmp_path / "promql.jsonl", lines)
    assert read_promql(tmp_path / "promql.jsonl") == lines
    write_promql(tmp_path / "nothing.jsonl", ())
    assert read_promql(tmp_path / "nothing.jsonl") == ()
    assert not (tmp_path / "nothing.jsonl").exists()


def asking(shop: TestbedSpec, *asked: dict[str, object]) -> Experiment:
    experiment = load_experiment(SLOW, shop)
    clauses = tuple(
        Clause.model_validate({"promql": {"query": "sum(up)", "min": 1, **each}}) for each in asked
    )
    return experiment.model_copy(update={"expect": clauses[:-1], "abort_when": clauses[-1:]})


def test_the_same_query_is_sent_once(shop: TestbedSpec) -> None:
    """For ``expect`` and ``abort_when`` together, over the given part of the phase."""
    experiment = asking(
        shop,
        {"phase": "fault", "after_s": 3, "before_s": 5},
        {"phase": "fault", "after_s": 3, "before_s": 5, "reduce": "max"},
        {"phase": "baseline", "before_s": 999},
    )
    plan = build_plan(experiment, shop, run_id="r", seed=1, source="x")
    fault, baseline = plan.window("fault"), plan.window("baseline")
    assert queries_of(plan) == (
        Query("sum(up)", fault.start_s + 3, fault.start_s + 5),
        Query("sum(up)", baseline.start_s, baseline.end_s),
    )


def test_the_last_scrape_is_awaited() -> None:
    """It is that of the window that ends last; a window long past needs no wait."""
    late = Query("x", 8, 30)
    assert scraped_in_s((QUERY, late), 29) == pytest.approx(1 + SETTLE_S)
    assert scraped_in_s((QUERY, late), 60) == 0
    assert scraped_in_s((), 0) == 0
